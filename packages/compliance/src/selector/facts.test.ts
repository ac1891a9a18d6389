import { type Candidate, type Selector, sameEndpoint } from "@gw/interface";
import { selector, testThatAreCaught } from "../../test/selectors.js";

testThatAreCaught({
  "needs a version": {
    make: () => selector(candidates => candidates.toSorted((a, b) => newest(a).localeCompare(newest(b)))[0]),
    fails: "picks whatever is known of the candidates, from nothing to everything",
    message: /with nothing known, given .*it threw TypeError/,
  },
  "goes to the leader only": {
    make: () => selector(candidates => candidates.find(({ isLeader }) => isLeader)),
    fails: "picks whatever is known of the candidates, from nothing to everything",
    message: /pick\(\) returns undefined only if there are no candidates/,
  },
  "relies on the leader that it knows": {
    make(): Selector {
      let leader: Candidate | undefined;
      return selector(candidates => {
        leader = candidates.find(({ isLeader }) => isLeader) ?? leader;
        const known = leader?.endpoint;
        return known ? candidates.find(one => sameEndpoint(one.endpoint, known)) : candidates[0];
      });
    },
    fails: "copes with facts that become known, change and become unknown",
    message: /pick\(\) returns undefined only if there are no candidates/,
  },
});

function newest({ version }: Candidate): string {
  return (version as string).split(".").join();
}
