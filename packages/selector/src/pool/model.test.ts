import { type Candidate, type Endpoint, GatewayError, type Lease, type Selector } from "@gw/interface";
import { type ManualClock, manualClock } from "@gw/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type ModelLease, PoolModel } from "../../test/model.js";
import { hosts, type Step, step } from "../../test/steps.js";
import { endpoint } from "../../test/support.js";
import type { EndpointPool } from "./endpoint-pool.js";
import { createPool } from "./pool.js";

const retryDelayMs = 1_000;

/** A pool and its model that take the same steps. */
class Pair {
  readonly model = new PoolModel(retryDelayMs);
  readonly clock: ManualClock = manualClock();
  readonly pool: EndpointPool;
  /** Every candidate that the selector has ever seen. */
  readonly seen = new Set<Candidate>();
  readonly events: string[] = [];
  /** What kinds of events there were. */
  readonly kinds = new Set<string>();
  /** Whether all were down, of each change that the pool reported. */
  readonly #changes: boolean[] = [];
  #setChanges = 0;
  readonly leases: { readonly real: Lease; readonly model: ModelLease; revoked: number }[] = [];
  #up: readonly string[] = [];
  #choice = 0;
  #offered: readonly Candidate[] = [];

  constructor() {
    const selector: Selector = {
      pick: candidates => {
        this.#offered = candidates;
        for (const candidate of candidates) this.seen.add(candidate);
        return candidates[this.#choice % candidates.length];
      },
    };
    this.pool = createPool({
      selector,
      retryDelayMs,
      maxRetryDelayMs: retryDelayMs,
      random: () => 0,
      onRemoved: "leave",
      onUnhealthy: "leave",
      clock: this.clock,
      probe: async ({ host }) => {
        if (!this.#up.includes(host)) throw new GatewayError("refused", `${host} is down`);
      },
      observer: {
        poolChanged: () => {
          this.#setChanges += 1;
        },
        endpointDown: ({ endpoint }) => this.events.push(`down ${endpoint.host}`),
        endpointStillDown: ({ endpoint }) => this.events.push(`still down ${endpoint.host}`),
        endpointUp: ({ endpoint }) => this.events.push(`up ${endpoint.host}`),
        failover: ({ from, to, why }) => this.events.push(`failover ${from.host} to ${to.host}: ${why}`),
        panic: ({ cause }) => this.events.push(`panic ${cause}`),
        panicOver: () => this.events.push("panic over"),
      },
    });
    this.pool.onChange(({ allDown }) => this.#changes.push(allDown));
    this.#update(hosts.map(host => endpoint(host)));
  }

  async take(step: Step): Promise<void> {
    if (step.do === "acquire") this.#acquire(step.tried, step.choice, step.prompt);
    else if (step.do === "update") this.#update(step.endpoints);
    else if (step.do === "advance") await this.#advance(step.ms, step.up);
    else if (step.do === "report") this.#report(step);
    else this.#drive(step);
    this.#compare();
  }

  /** Ends everything, and checks what is left. */
  finish(): void {
    for (const { real, model } of this.leases) {
      real.released();
      this.model.released(model);
    }
    this.#compare();
    for (const { connections } of this.seen) expect(connections).toBe(0);
    this.pool.close();
    expect(this.clock.pending).toBe(0);
  }

  #acquire(tried: readonly string[], choice: number, prompt: boolean): void {
    this.#choice = choice;
    const expected = this.model.offered(tried);
    const before = expected.map(({ endpoint, connections }) => [endpoint, connections]);
    const taken = { revoked: 0, real: undefined as Lease | undefined };
    const real = this.pool.acquire({
      tried: tried.map(host => endpoint(host)),
      onRevoked: error => {
        taken.revoked += 1;
        if (prompt) taken.real?.failed(error);
      },
    });
    expect(real === undefined).toBe(expected.length === 0);
    if (!real) return;
    expect(taken.revoked).toBe(0);
    taken.real = real;
    expect(this.#offered[choice % this.#offered.length]?.endpoint).toEqual(real.endpoint);
    expect(this.#offered.map(candidate => candidate.endpoint)).toEqual(before.map(([one]) => one));
    const model = this.model.acquired(tried, real.endpoint.host, prompt);
    this.leases.push(Object.assign(taken, { real, model }));
    const now = expected.map(({ connections }) => connections);
    expect(this.#offered.map(({ connections }) => connections)).toEqual(now);
  }

  #drive(step: Step & { readonly lease: number }): void {
    const lease = this.leases.at(-1 - step.lease);
    if (!lease) return;
    if (step.do === "connect") {
      lease.real.connected();
      this.model.connected(lease.model);
    } else if (step.do === "fail") {
      lease.real.failed(step.error);
      this.model.failed(lease.model, step.error);
    } else {
      lease.real.released();
      this.model.released(lease.model);
    }
  }

  #update(endpoints: readonly Endpoint[]): void {
    this.pool.update(endpoints);
    this.model.update(endpoints);
  }

  #report({ host, verdict, anotherIsHealthy }: Step & { readonly do: "report" }): void {
    this.pool.report(endpoint(host), verdict, anotherIsHealthy);
    this.model.report(host, verdict, anotherIsHealthy);
  }

  async #advance(ms: number, up: readonly string[]): Promise<void> {
    this.#up = up;
    await this.clock.advance(ms);
    this.model.advance(
      ms,
      host => up.includes(host),
      host => `${host} is down`,
    );
  }

  #compare(): void {
    this.#compareChanges();
    // What happens to several endpoints in one step has no order.
    expect(this.events.toSorted()).toEqual(this.model.events.toSorted());
    for (const event of this.events.splice(0)) this.kinds.add(event.replace(/ [a-e]( .*)?$/, ""));
    this.model.events.length = 0;
    expect(this.clock.pending).toBe(this.model.down.length);
    expect(this.leases.filter(({ revoked, model }) => revoked !== model.revoked)).toEqual([]);
    const current = this.pool.inspect().filter(({ state }) => state !== "draining");
    expect(
      current.map(({ endpoint, state, unhealthy, error }) => [
        endpoint.host,
        state,
        unhealthy,
        error?.detail,
      ]),
    ).toEqual(
      this.model.entries.map(({ endpoint, down }) => [
        endpoint.host,
        down ? "down" : "up",
        down?.unhealthy ?? false,
        down?.why,
      ]),
    );
  }

  #compareChanges(): void {
    const changes = this.#changes.splice(0);
    const states = this.model.events.filter(event => /^(down|up|failover) /.test(event));
    expect(changes.length).toBe(states.length + this.#setChanges);
    if (changes.length > 0) expect(changes.at(-1)).toBe(this.model.allDown);
    this.#setChanges = 0;
  }
}

test("10,000 leases with any outcomes, among failures, retries and updates, leave nothing behind", async () => {
  let leases = 0;
  let revoked = 0;
  const kinds = new Set<string>();
  const steps = fc.array(step, { maxLength: 300, size: "max" });
  await fc.assert(
    fc.asyncProperty(steps, async steps => {
      const pair = new Pair();
      for (const step of steps) await pair.take(step);
      pair.finish();
      leases += pair.leases.length;
      revoked += pair.leases.filter(lease => lease.revoked > 0).length;
      for (const kind of pair.kinds) kinds.add(kind);
    }),
    { seed: 2379, numRuns: 300 },
  );
  expect(leases).toBeGreaterThan(10_000);
  expect(revoked).toBeGreaterThan(1_000);
  expect([...kinds].sort()).toEqual([
    "down",
    "failover",
    "panic all-down",
    "panic cluster",
    "panic most-unhealthy",
    "panic over",
    "still down",
    "up",
  ]);
});
