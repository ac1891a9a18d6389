import { type Case, violation } from "../suite.js";
import type { DiscoverySubject } from "./watch.js";

const first = "A watch that was not aborted yields a set.";

/** How a watch ends, and that it ends no other. */
export const endingCases: readonly Case<DiscoverySubject>[] = [
  {
    name: "ends, without throwing, when aborted before it began",
    async check({ watch }) {
      const controller = new AbortController();
      controller.abort();
      await watch(controller).ends("aborted before watch() was called");
    },
  },
  {
    name: "ends, without throwing, when aborted before a set was asked for",
    async check({ watch }) {
      const watched = watch();
      watched.abort();
      await watched.ends("aborted before the first next()");
    },
  },
  {
    name: "ends, without throwing, when aborted while the first set is waited for",
    async check({ watch }) {
      const watched = watch();
      const set = watched.next();
      watched.abort();
      await set;
      await watched.ends("aborted during the first next()");
    },
  },
  {
    name: "ends, without throwing, when aborted while a change is waited for",
    async check({ watch }) {
      const watched = watch();
      await watched.set(first);
      const change = watched.next();
      watched.abort();
      await change;
      await watched.ends("aborted during the second next()");
    },
  },
  {
    name: "ends, without throwing, when aborted between two sets, even twice",
    async check({ watch }) {
      const watched = watch();
      await watched.set(first);
      watched.abort();
      watched.abort();
      await watched.ends("aborted after the first set");
    },
  },
  {
    name: "ends when its consumer leaves the loop",
    async check({ watch }) {
      const watched = watch();
      await watched.set(first);
      await watched.leave();
      if (await watched.next())
        throw violation(
          "A watch ends when its consumer breaks out of the loop.",
          "it yielded a set after return()",
        );
    },
  },
  {
    name: "watches independently: the end of one is not the end of another",
    async check({ watch, change, changes }) {
      const [aborted, left, staying] = [watch(), watch(), watch()];
      for (const watched of [aborted, left, staying]) await watched.set(first);
      aborted.abort();
      await aborted.ends("aborted");
      await left.leave();
      await watch().set(`${first} So does one that begins after others have ended.`);
      if (!changes) return;
      await change();
      await staying.set("A change is yielded by every open watch, though others have ended.");
    },
  },
];
