import { Agent, request } from "node:http";
import { setTimeout } from "node:timers/promises";

/** Clients that read and write through a gateway, and reconnect when a connection ends. */
export interface Load extends AsyncDisposable {}

/** How many clients there are, and how long each waits between requests, in milliseconds. */
const clients = 6;
const pauseMs = 40;

/** Starts clients of etcd's JSON gateway; they go on until they are disposed of. */
export function startLoad(port: number): Load {
  const stop = new AbortController();
  const agents = Array.from({ length: clients }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  const loops = agents.map(async (agent, index) => {
    const key = Buffer.from(`load ${index}`).toString("base64");
    for (let round = 0; !stop.signal.aborted; round++) {
      const value = Buffer.alloc(500 + 3_000 * (round % 8)).toString("base64");
      await post(agent, port, "/v3/kv/put", { key, value }, stop.signal).catch(() => {});
      await post(agent, port, "/v3/kv/range", { key }, stop.signal).catch(() => {});
      // Some reconnect now and then.
      if (index < 2 && round % 10 === 9) agent.destroy();
      await setTimeout(pauseMs, undefined, { signal: stop.signal }).catch(() => {});
    }
    agent.destroy();
  });
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all(loops);
    },
  };
}

/** Resolves when the answer has been read. */
function post(agent: Agent, port: number, path: string, body: unknown, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const posted = request({ agent, port, host: "127.0.0.1", path, method: "POST", signal }, response => {
      response.on("end", resolve).on("error", reject).resume();
    });
    posted.on("error", reject).end(JSON.stringify(body));
  });
}
