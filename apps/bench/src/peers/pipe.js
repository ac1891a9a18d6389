// `node pipe.js <listen> <backend>`: the least that Node needs to pass TCP connections on.
import { connect, createServer } from "node:net";

const [listen, backend] = process.argv.slice(2).map(address => {
  const [host, port] = address.split(":");
  return { host, port: Number(port), noDelay: true };
});

createServer({ allowHalfOpen: true, noDelay: true }, client => {
  const server = connect({ ...backend, allowHalfOpen: true });
  client.pipe(server);
  server.pipe(client);
  client.on("error", () => server.destroy());
  server.on("error", () => client.destroy());
}).listen({ ...listen, backlog: 4096 });
