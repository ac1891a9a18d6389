import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { inspect } from "node:util";
import { type Address, type Endpoint, formatAddress } from "@gw/interface";
import { type Case, violation } from "../suite.js";
import type { DiscoverySubject, EndpointSet } from "./watch.js";

const contract = {
  whole: "A watch yields the whole set of endpoints first.",
  filled: "A watch never yields an empty set.",
  once: "A set holds each endpoint (host and port) once.",
  shape: "An endpoint is { host, port, priority, weight, secure? }, each in its range.",
  immutable: "Sets and their endpoints are frozen.",
  change: "A watch yields the whole set again when it changed, and only then.",
};

/** What is true of every set of endpoints. */
export const setCases: readonly Case<DiscoverySubject>[] = [
  {
    name: "yields the whole set first",
    async check({ watch, endpoints }) {
      const first = await watch().set(contract.whole);
      const again = await watch().set(contract.whole);
      if (textOf(first) !== textOf(again))
        throw violation(
          contract.whole,
          `one watch began with ${textOf(first)}, the next with ${textOf(again)}`,
        );
      if (endpoints && namesOf(first) !== namesOf(endpoints))
        throw violation(contract.whole, `${namesOf(first)} in place of ${namesOf(endpoints)}`);
    },
  },
  {
    name: "never yields an empty set",
    check: each(set => {
      if (set.length === 0) throw violation(contract.filled, "[]");
    }),
  },
  {
    name: "yields sets that hold each endpoint once",
    check: each(set => {
      const names = set.map(nameOf);
      const twice = names.find((name, index) => names.indexOf(name) !== index);
      if (twice) throw violation(contract.once, `${twice} twice in ${names.join(", ")}`);
    }),
  },
  {
    name: "yields endpoints of a valid shape",
    check: each(set => {
      for (const endpoint of set) {
        const fault = faultOf(endpoint);
        if (fault) throw violation(contract.shape, `${fault} in ${inspect(endpoint)}`);
      }
    }),
  },
  {
    name: "yields frozen sets of frozen endpoints",
    check: each(set => {
      if (!Object.isFrozen(set)) throw violation(contract.immutable, "an array that is not frozen");
      const open = set.find(endpoint => !Object.isFrozen(endpoint));
      if (open) throw violation(contract.immutable, `${nameOf(open)} is not frozen`);
    }),
  },
];

/** What a change of the set causes, for discoveries whose set can change. */
export const changeCases: readonly Case<DiscoverySubject>[] = [
  {
    name: "yields the set again when it changed while next() was pending, and not before",
    async check({ watch, change }) {
      const watched = watch();
      let last = await watched.set(contract.whole);
      for (let count = 0; count < 2; count++) {
        const next = watched.set(contract.change);
        next.catch(() => {});
        // Gives the watch time to yield the same set again, which it must not.
        await eventLoopTurn();
        await change();
        last = demandAnother(last, await next);
      }
    },
  },
  {
    name: "yields the set again when it changed while no next() was pending",
    async check({ watch, change }) {
      const watched = watch();
      let last = await watched.set(contract.whole);
      for (let count = 0; count < 2; count++) {
        await change();
        last = demandAnother(last, await watched.set(contract.change));
      }
    },
  },
];

function demandAnother(before: EndpointSet, after: EndpointSet): EndpointSet {
  if (textOf(before) !== textOf(after)) return after;
  throw violation(contract.change, `the same set twice in a row: ${textOf(after)}`);
}

/** Applies `judge` to the first set, and to the one after a change. */
function each(judge: (set: EndpointSet) => void): Case<DiscoverySubject>["check"] {
  return async ({ watch, change, changes }) => {
    const watched = watch();
    judge(await watched.set(contract.whole));
    if (!changes) return;
    await change();
    judge(await watched.set(contract.change));
  };
}

const upTo65535 = { from: 0, to: 65_535 };
const ranges = { port: { from: 1, to: 65_535 }, priority: upTo65535, weight: upTo65535 };

function faultOf(endpoint: Endpoint): string | undefined {
  if (typeof endpoint !== "object" || endpoint === null) return "no object";
  const { host } = endpoint;
  if (typeof host !== "string" || host === "" || /[[\]\s]/.test(host))
    return `host ${inspect(host)} is not a name or an IP address without brackets`;
  for (const [name, { from, to }] of Object.entries(ranges)) {
    const value = endpoint[name as keyof typeof ranges];
    if (!Number.isInteger(value) || value < from || value > to)
      return `${name} ${inspect(value)} is not an integer from ${from} to ${to}`;
  }
  if ("secure" in endpoint && typeof endpoint.secure !== "boolean")
    return `secure ${inspect(endpoint.secure)} is neither a boolean nor absent`;
  return undefined;
}

function namesOf(set: readonly Address[]): string {
  return set.map(nameOf).sort().join(", ");
}

/** Accepts what is no address, too, for messages. */
function nameOf(address: Address): string {
  return typeof address?.host === "string" ? formatAddress(address) : inspect(address);
}

/** The same text for sets that are equal but for their order. */
function textOf(set: EndpointSet): string {
  const lines = set.map(one => `${nameOf(one)} (${one?.priority} ${one?.weight} ${one?.secure ?? "-"})`);
  return lines.sort().join(", ");
}
