// `node client.js <mode> <host:port> <key> <interval in ms> <timeout in ms>`: the plainest client of etcd's JSON API, without
// retries, backoff or keepalive of its own, so that what it sees is the gateway's doing. Prints a line of JSON for each:
//
//   put-kept, put-new   attempt to put, on one connection or each on its own: start, end, ok, why
//   watch               event of the key: at, value
//   status              question for the member's status: at, leader (false if it knows none), or why
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const [mode, address = "", key = "", interval, timeout] = process.argv.slice(2);
const [host, port] = address.split(":");
const agent = new Agent({ keepAlive: mode !== "put-new", maxSockets: 1 });
const base64 = text => Buffer.from(text).toString("base64");
const print = line => process.stdout.write(`${JSON.stringify(line)}\n`);

/** Sends one request. Resolves with its body; with `onData`, calls it for each part of the body. */
function post(path, body, onData) {
  const text = JSON.stringify(body);
  const headers = { "content-length": Buffer.byteLength(text) };
  return new Promise((resolve, reject) => {
    const signal = Number(timeout) > 0 ? AbortSignal.timeout(Number(timeout)) : undefined;
    const sent = request({ host, port, path, method: "POST", headers, agent, signal }, response => {
      const parts = [];
      response.on("data", onData && response.statusCode === 200 ? onData : part => parts.push(part));
      response.once("error", reject).once("end", () => {
        const answer = Buffer.concat(parts).toString();
        if (response.statusCode === 200) resolve(answer);
        else reject(new Error(`${response.statusCode} ${answer}`));
      });
    });
    sent.once("error", reject);
    sent.end(text);
  });
}

/** Calls `once` again and again; a failure is followed at once by the next, as long as that is not a hundredth of a second. */
async function repeat(once, pauseMs) {
  for (;;) {
    const start = Date.now();
    try {
      await once(start);
      await sleep(pauseMs);
    } catch {
      await sleep(Math.max(0, 10 - (Date.now() - start)));
    }
  }
}

async function put(start) {
  try {
    await post("/v3/kv/put", { key: base64(key), value: base64(`${start}`) });
    print({ start, end: Date.now(), ok: true });
  } catch (error) {
    print({ start, end: Date.now(), ok: false, why: error.message });
    throw error;
  }
}

let revision = 0;
async function watch() {
  let unread = "";
  await post("/v3/watch", { create_request: { key: base64(key), start_revision: revision } }, part => {
    const lines = (unread + part).split("\n");
    unread = lines.pop() ?? "";
    for (const line of lines)
      for (const { kv } of JSON.parse(line).result?.events ?? []) {
        revision = Number(kv.mod_revision) + 1;
        print({ at: Date.now(), value: Buffer.from(kv.value, "base64").toString() });
      }
  });
}

async function status() {
  try {
    const { leader } = JSON.parse(await post("/v3/maintenance/status", {}));
    print({ at: Date.now(), leader: leader !== undefined && leader !== "0" });
  } catch (error) {
    print({ at: Date.now(), why: error.message });
    throw error;
  }
}

await repeat({ "put-kept": put, "put-new": put, watch, status }[mode], Number(interval));
