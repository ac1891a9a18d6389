import type { Agent } from "node:http";
import type { Socket } from "node:net";
import { nodeHttp } from "./lazily.js";

/** Node's agent for a single connection, which `connect` makes and which is kept until `destroy`. */
export function oneConnection(connect: () => Promise<Socket>): Agent {
  const agent = new (nodeHttp().Agent)({ keepAlive: true, maxSockets: 1 });
  const destroy = agent.destroy.bind(agent);
  let ended = false;
  return Object.assign(agent, {
    createConnection(_: unknown, done: (error: unknown, socket?: Socket) => void): undefined {
      connect().then(socket => {
        // Its request was given up, and would give it back to an agent that has ended.
        if (ended) socket.destroy();
        done(null, socket);
      }, done);
    },
    // Node's own would have TCP send probes each second, which the next question makes needless.
    keepSocketAlive(socket: Socket): boolean {
      socket.unref();
      return !ended;
    },
    destroy() {
      ended = true;
      destroy();
    },
  });
}
