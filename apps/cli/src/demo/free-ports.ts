import { once } from "node:events";
import { createServer } from "node:net";

/** Ports of 127.0.0.1 that are free now, all different. Whoever wants them should take them soon. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  try {
    await Promise.all(servers.map(server => once(server, "listening")));
    return servers.map(server => {
      const bound = server.address();
      return bound && typeof bound === "object" ? bound.port : 0;
    });
  } finally {
    for (const server of servers) server.close();
  }
}
