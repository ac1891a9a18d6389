// How much gateways ask members for, counted at the members. Time is scaled by the interval; `npm run bench:health` has the
// defaults.
import { once } from "node:events";
import { Agent, request } from "node:http";
import { type CountingProxy, type Gw, missing, startCountingProxy, startEtcd, startGw } from "@gw/testing";
import { describe, expect, onTestFinished, test } from "vitest";

const intervalMs = 250;
const status = "POST /v3/maintenance/status";

/** Sends a request, and resolves when the first bytes of its answer have arrived. */
async function ask(gw: Gw, path: string, body: object, agent: Agent): Promise<void> {
  const text = JSON.stringify(body);
  const headers = { "content-length": text.length };
  const sent = request({ host: "127.0.0.1", port: gw.port, path, method: "POST", headers, agent }).end(text);
  const [response] = await once(sent, "response");
  await once(response, "data");
  response.on("error", () => {}).resume();
}

describe.skipIf(missing("etcd", "etcdctl"))("checks of a cluster of three", () => {
  test("are rare: each interval of a silent client, else once in several intervals, and never linearizable", async () => {
    await using cluster = await startEtcd();
    await cluster.settled();
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    const open: AsyncDisposable[] = [];
    onTestFinished(async () => {
      for (const one of open.reverse()) await one[Symbol.asyncDispose]();
    });
    const start = async (): Promise<{ gw: Gw; proxies: readonly CountingProxy[] }> => {
      const proxies = await Promise.all(cluster.members.map(({ endpoint }) => startCountingProxy(endpoint)));
      const endpoints = proxies.map(({ address }) => address).join(",");
      const gw = await startGw([`--endpoints=${endpoints}`, `--health-interval=${intervalMs}ms`]);
      open.push(...proxies, gw);
      await Promise.all(proxies.map(proxy => proxy.counted(status)));
      return { gw, proxies };
    };
    const unused = await start();
    const silent = await start();
    const answered = await start();
    await ask(silent.gw, "/v3/watch", { create_request: { key: "c2lsZW50" } }, agent);
    const puts = { stopped: false };
    const putting = (async () => {
      while (!puts.stopped) await ask(answered.gw, "/v3/kv/put", { key: "aw==", value: "dg==" }, agent);
    })();
    const serving = async ({ gw, proxies }: typeof unused): Promise<CountingProxy> => {
      const { endpoint } = await gw.logged(/^connected$/);
      return proxies.find(({ address }) => address === endpoint) as CountingProxy;
    };
    const [watched, written] = [await serving(silent), await serving(answered)];
    // The first check after a change of use comes sooner.
    await watched.counted(status, (watched.requests.get(status) ?? 0) + 2);
    await written.counted(status, (written.requests.get(status) ?? 0) + 1);

    const all = [unused, silent, answered].flatMap(({ proxies }) => proxies);
    const count = (proxy: CountingProxy): number => proxy.requests.get(status) ?? 0;
    const before = new Map(all.map(proxy => [proxy, count(proxy)]));
    const since = performance.now();
    await watched.counted(status, count(watched) + 10);
    const intervals = (performance.now() - since) / intervalMs;
    puts.stopped = true;
    await putting;
    for (const proxy of all) {
      const apart = proxy === watched ? 1 : proxy === written ? 12 : 24;
      // A tenth of a wait may be missing, and the first check may have been due before.
      const most = Math.ceil(intervals / (apart * 0.9)) + 1;
      expect(count(proxy) - (before.get(proxy) ?? 0)).toBeLessThanOrEqual(most);
      expect([...proxy.requests.keys()].filter(one => /health|readyz|livez/.test(one))).toEqual([]);
    }
  });
});
