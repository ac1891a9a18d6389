import type { Endpoint } from "@gw/interface";
import { manualClock } from "@gw/testing";
import { expect, test } from "vitest";
import { createIdentityDecision } from "./decision.js";
import { Questions } from "./questions.js";

const endpoint: Endpoint = { host: "a", port: 2379, priority: 0, weight: 0 };

/** Questions whose answers come when `answer` is called. */
function startQuestions() {
  const clock = manualClock();
  let answer = (_clusterId: string): void => {};
  const questions = new Questions({
    ask: () =>
      new Promise(resolve => {
        answer = resolve;
      }),
    decision: createIdentityDecision({ clock }),
    onAnswer: () => {},
    clock,
  });
  questions.update([endpoint]);
  const asked = questions.ask(endpoint);
  return {
    questions,
    answered(clusterId: string) {
      answer(clusterId);
      return asked;
    },
  };
}

test("an answer is kept for the next client", async () => {
  const { questions, answered } = startQuestions();
  expect(questions.isStale(endpoint)).toBe(true);
  expect(await answered("abc")).toBe("abc");
  expect(questions.isStale(endpoint)).toBe(false);
});

test("of an endpoint that left the set while it was asked, nothing is kept", async () => {
  const { questions, answered } = startQuestions();
  questions.update([]);
  await answered("abc");
  expect(questions.isStale(endpoint)).toBe(true);
});
