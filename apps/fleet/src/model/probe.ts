import { probeDefaults } from "@gw/health";
import { type CheckDepth, type Endpoint, GatewayError, type Probe, type Verdict } from "@gw/interface";
import type { Random } from "../random.js";
import type { World } from "../world.js";
import { costs } from "./costs.js";
import type { Member } from "./member.js";

/**
 * How the probe keeps connections, as `@gw/etcd-client` does: each is used for `ageMs` milliseconds, up to a fifth less at
 * random, if it is used again within `idleMs`; its host is looked up again each `lookUpMs`.
 */
const kept = { ageMs: 300_000, agePart: 0.2, idleMs: 180_000, lookUpMs: 60_000 } as const;

/** The connection to one member. */
interface Kept {
  readonly starts: number;
  readonly expiresAt: number;
  usedAt: number;
  lookedUpAt: number;
}

/** What a check will find, and when. */
interface Outcome {
  readonly afterMs: number;
  /** `agreement`: that is decided by whether the member serves then. */
  readonly finds: "healthy" | "refused" | "timed-out" | "no leader" | "agreement";
}

/**
 * The probe of one gateway, with what it costs the members. It finds what `etcdProbe` finds: `refused`, `timed-out`, no
 * leader, no agreement, or healthy with the facts.
 */
export class ModelProbe {
  readonly #world: World;
  readonly #random: Random;
  readonly #lookUp: (host: string) => void;
  readonly #kept = new Map<string, Kept>();

  /** @param lookUp called when the addresses of a host are needed */
  constructor(world: World, random: Random, lookUp: (host: string) => void) {
    this.#world = world;
    this.#random = random;
    this.#lookUp = lookUp;
  }

  readonly probe: Probe = (endpoint, signal, { depth = "deep", timeoutMs = Infinity } = {}) =>
    new Promise((resolve, reject) => {
      const limitMs = Math.min(timeoutMs, probeDefaults.timeoutMs);
      const outcome = this.#ask(endpoint, depth, limitMs);
      this.#world.clock.after(outcome.afterMs, () => {
        if (signal.aborted) reject(signal.reason);
        else resolve(this.#verdict(endpoint, depth, outcome));
      });
    });

  #ask({ host }: Endpoint, depth: CheckDepth, limitMs: number): Outcome {
    const { cluster, network } = this.#world;
    const member = cluster.at(host);
    const roundTripMs = network.roundTripMs();
    if (member.state === "stopped") return { afterMs: roundTripMs, finds: "refused" };
    if (member.state === "hung") return { afterMs: limitMs, finds: "timed-out" };
    const afterMs = this.#load(member, depth) + roundTripMs;
    if (afterMs > limitMs) return { afterMs: limitMs, finds: "timed-out" };
    if (!member.leader) return { afterMs, finds: "no leader" };
    // The read waits until the cluster agrees.
    if (depth === "deep" && !cluster.serves(member)) return { afterMs: limitMs, finds: "agreement" };
    return { afterMs, finds: "healthy" };
  }

  /** Lets the members work. Half of a linearizable read is the leader's. Returns when it is done, in milliseconds. */
  #load(member: Member, depth: CheckDepth): number {
    const { cluster, recorder } = this.#world;
    const isOpen = this.#useConnection(member);
    const connectMs = isOpen ? 0 : costs.connect;
    if (depth === "regular") {
      recorder.count(isOpen ? "status" : "statusConnect");
      return member.work(connectMs + costs.status);
    }
    recorder.count(isOpen ? "deep" : "deepConnect");
    const leader = cluster.leader ?? member;
    return Math.max(member.work(connectMs + costs.deep / 2), leader.work(costs.deep / 2));
  }

  /** Whether there is a connection to use; if not, one is opened. */
  #useConnection({ host, starts }: Member): boolean {
    const now = this.#world.clock.now();
    const one = this.#kept.get(host);
    if (one?.starts === starts && now < one.expiresAt && now - one.usedAt < kept.idleMs) {
      one.usedAt = now;
      if (now - one.lookedUpAt < kept.lookUpMs) return true;
      one.lookedUpAt = now;
      this.#lookUp(host);
      return true;
    }
    this.#lookUp(host);
    const expiresAt = now + kept.ageMs * (1 - kept.agePart * this.#random());
    this.#kept.set(host, { starts, expiresAt, usedAt: now, lookedUpAt: now });
    return false;
  }

  #verdict({ host }: Endpoint, depth: CheckDepth, { afterMs, finds }: Outcome): Verdict {
    const { cluster } = this.#world;
    const member = cluster.at(host);
    const check = depth === "regular" ? "etcd status" : "etcd /health";
    switch (finds) {
      case "refused":
        return { ...failed(check, "refused", "connection refused"), connectable: false };
      case "timed-out":
        return failed(check, "timed-out", "no answer in time");
      case "no leader":
        return { ...failed(check, "unhealthy", "it knows no leader"), scope: "cluster" };
      case "agreement":
        return cluster.serves(member)
          ? { check, scope: "endpoint" }
          : failed(check, "timed-out", "no answer in time");
      case "healthy":
        return depth === "deep"
          ? { check, scope: "endpoint" }
          : { check, scope: "endpoint", facts: this.#facts(member, afterMs) };
    }
  }

  #facts({ id, leader }: Member, roundTripMs: number): Verdict["facts"] {
    const raftTerm = this.#world.cluster.term;
    return { clusterId: "c1", memberId: id, leaderId: leader?.id, raftTerm, version: "3.5.16", roundTripMs };
  }
}

function failed(check: string, code: "refused" | "timed-out" | "unhealthy", detail: string): Verdict {
  return { check, scope: "endpoint", error: new GatewayError(code, detail), connectable: true };
}
