import { expect, test } from "vitest";
import { betweenMarkers, markdownTable, number } from "./index.js";

test("the generated part replaces what is between the markers of its name, and other text stays", () => {
  const text = "a\n<!-- bench:start -->\nold\n<!-- bench:end -->\nb\n";
  expect(betweenMarkers(text, "bench", "new")).toBe(
    "a\n<!-- bench:start -->\n\nnew\n\n<!-- bench:end -->\nb\n",
  );
  expect(betweenMarkers(text, "fleet", "new")).toBe(text);
  expect(betweenMarkers("a\n", "bench", "new")).toBe("a\n");
});

test("rows of a table are filled up to the width of its heading", () => {
  expect(
    markdownTable([
      ["", "one", "two"],
      ["a", "1"],
    ]),
  ).toBe("|  | one | two |\n| --- | --: | --: |\n| a | 1 |  |");
});

test("numbers have three significant digits", () => {
  expect([0, 0.1234, 1.234, 12.34, 1_234.5].map(number)).toEqual(["0.00", "0.12", "1.23", "12.3", "1,235"]);
});
