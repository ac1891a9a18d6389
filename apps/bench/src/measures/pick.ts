import type { Endpoint } from "@gw/interface";
import { createPool } from "@gw/selector";
import type { Measure, MeasureContext, Subject } from "../contract.js";

/** Only gw has a pool, so it is measured alone, in this process. */
const pool: Subject = {
  name: "pool",
  title: "pool",
  version: async () => "",
  command: () => undefined,
};

/** How the time to pick an endpoint grows with the number of endpoints. */
export const pick: Measure = {
  name: "pick",
  title: "pick",
  how: "In one process, without sockets: `acquire`, `connected` and `released` of @gw/selector's pool with its default policy, one after the other.",
  figures: [
    { key: "time", title: "time per connection", unit: "µs", better: "less" },
    { key: "update", title: "time to learn all endpoints", unit: "ms", better: "less" },
  ],
  subjects: [pool],
  async run(_: Subject, { scale, sample }: MeasureContext) {
    for (const count of scale.endpoints)
      await sample(`${count.toLocaleString("en")} endpoints`, async () => {
        const pool = createPool();
        const endpoints = Array.from({ length: count }, (_, n) => endpoint(n));
        const learning = performance.now();
        pool.update(endpoints);
        const update = performance.now() - learning;
        const request = { tried: [], onRevoked: () => {} };
        const picks = (ms: number): number => {
          let picked = 0;
          for (const end = performance.now() + ms; performance.now() < end; picked += 100)
            for (let n = 0; n < 100; n++) {
              const lease = pool.acquire(request);
              lease?.connected();
              lease?.released();
            }
          return picked;
        };
        picks(scale.warmupMs);
        const began = performance.now();
        const picked = picks(scale.measureMs / 4);
        const time = ((performance.now() - began) / picked) * 1000;
        pool.close();
        return { time, update };
      });
  },
};

function endpoint(n: number): Endpoint {
  return { host: `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`, port: 2379, priority: 0, weight: 0 };
}
