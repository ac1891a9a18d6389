import type { Candidate, Selector } from "@gw/interface";
import { type Case, violation } from "../suite.js";
import { candidate, candidates, endpoints, liveCandidate } from "./candidates.js";
import { chooser } from "./chooser.js";

/** What a selector may keep from call to call: endpoints, but neither candidates nor arrays. */
export const memoryCases: readonly Case<() => Promise<Selector>>[] = [
  {
    name: "never returns a candidate of an earlier call",
    async check(make) {
      const { choose } = chooser(await make());
      for (let call = 1; call <= 100; call++)
        choose(candidates(endpoints(3)), `at call ${call}, with new objects for the same endpoints`);
    },
  },
  {
    name: "follows candidates that come and go",
    async check(make) {
      const { choose } = chooser(await make());
      const all = candidates(endpoints(6));
      for (let round = 0; round < 10; round++)
        for (let from = 0; from < all.length; from++) {
          choose(all.slice(from), `without the first ${from}`);
          choose(all.slice(0, all.length - from), `without the last ${from}`);
          choose(all.slice(from, from + 1), "with one that is left");
        }
    },
  },
  {
    name: "never returns its last pick once that is gone",
    async check(make) {
      const { choose } = chooser(await make());
      for (let round = 0; round < 10; round++)
        for (let left = candidates(endpoints(6)); left.length > 0; ) {
          const picked = choose(left);
          left = left.filter(one => one !== picked);
        }
    },
  },
  {
    name: "keeps no array: the caller may change it between calls and use it again",
    async check(make) {
      const { choose } = chooser(await make());
      const array = candidates(endpoints(5));
      choose(array);
      if (!Object.isExtensible(array))
        throw violation("The array belongs to the caller, who may change it.", "it was frozen");
      array.length = 2;
      choose(array, "after the same array became shorter");
      choose(candidates(endpoints(3)), "with another array");
      array.splice(0, 2, ...candidates(endpoints(9).slice(5)));
      choose(array, "after the contents of the same array were replaced");
      array.length = 0;
      choose(array, "after the same array became empty");
      choose(candidates(endpoints(3)), "after an earlier array became empty");
    },
  },
  {
    name: "copes with numbers of connections that change between calls",
    async check(make) {
      const { choose } = chooser(await make());
      const open = new Map<unknown, number>();
      const offered = endpoints(4).map(endpoint =>
        liveCandidate(endpoint, () => open.get(endpoint.host) ?? 0),
      );
      const add = (picked: Candidate | undefined, more: number): unknown =>
        picked && open.set(picked.endpoint.host, picked.connections + more);
      for (let call = 1; call <= 100; call++) add(choose(offered, `with ${call - 1} connections made`), 1);
      for (const one of offered) add(one, -one.connections);
      choose(offered, "with all connections gone");
      choose(
        endpoints(4).map((endpoint, index) => candidate(endpoint, index * 1_000_000)),
        "with very different numbers of connections",
      );
    },
  },
  {
    name: "shares nothing with another selector of the same factory",
    async check(make) {
      const [one, other] = [await make(), await make()];
      if (one === other)
        throw violation("The factory makes a fresh selector each time.", "it returned the same object twice");
      const offered = new Set<unknown>();
      const [{ choose: chooseOne }, { choose: chooseOther }] = [
        chooser(one, offered),
        chooser(other, offered),
      ];
      for (let call = 0; call < 50; call++) {
        chooseOne(candidates(endpoints(3)), "the first of two selectors");
        chooseOther(candidates(endpoints(3)), "the second of two selectors, with the same endpoints");
        chooseOther(candidates(endpoints(6).slice(3)), "the second of two selectors, with other endpoints");
        chooseOther([], "the second of two selectors");
      }
    },
  },
];
