import type { Endpoint, Selector } from "@gw/interface";
import { expect, test } from "vitest";
import { endpoint, refused } from "../../test/support.js";
import { roundRobin, stickyRandom, twoChoices } from "../index.js";
import { createPool } from "./pool.js";

const attempts = 400;
/** As a proxy does by default. */
const attemptsPerClient = 16;

/** The CPU time of one client's attempt among `size` endpoints that all refuse, in microseconds. */
function attemptCost(size: number, selector: Selector): number {
  const pool = createPool({ selector, probe: async () => {} });
  const endpoints = Array.from({ length: size }, (_, index) => endpoint(`10.0.${index >> 8}.${index & 255}`));
  pool.update(endpoints);
  // Those that are healthy come first for clients that have failed.
  for (const one of endpoints.slice(size / 2))
    pool.report(one, { check: "etcd status", scope: "endpoint" }, true);
  const before = process.cpuUsage();
  for (let made = 0; made < attempts; ) {
    const tried: Endpoint[] = [];
    for (; tried.length < attemptsPerClient && made < attempts; made++) {
      const lease = pool.acquire({ tried, onRevoked() {} });
      if (!lease) break;
      tried.push(lease.endpoint);
      lease.failed(refused);
    }
  }
  const { user, system } = process.cpuUsage(before);
  pool.close();
  return (user + system) / attempts;
}

/** The least of several runs: others use the CPU and its caches, and V8 compiles and collects on threads of this process. */
function leastCost(size: number, make: () => Selector): number {
  return Math.min(...Array.from({ length: 10 }, () => attemptCost(size, make())));
}

test.each(Object.entries({ roundRobin, stickyRandom, twoChoices }))(
  "%s: an attempt costs about as much among 10,000 endpoints as among 500, while they all fail",
  (_, make) => {
    attemptCost(500, make());
    // Anything that visited each endpoint would cost 20 times as much.
    expect(leastCost(10_000, make) / leastCost(500, make)).toBeLessThan(10);
  },
);
