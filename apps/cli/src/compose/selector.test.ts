import { expect, test } from "vitest";
import { parseSelector } from "./selector.js";

test.each([
  ["random", "random", {}],
  ["two-choices:choices=3", "two-choices", { choices: "3" }],
  ["@acme/selector:zone=a,weights=1=2", "@acme/selector", { zone: "a", weights: "1=2" }],
  ["near:url=http://a:80/x", "near", { url: "http://a:80/x" }],
  ["near:empty=", "near", { empty: "" }],
  ["./a:b.js", "./a:b.js", {}],
  ["./a:b.js:k=v", "./a:b.js", { k: "v" }],
  ["C:\\policies\\mine.js", "C:\\policies\\mine.js", {}],
  ["C:\\policies\\mine.js:k=v", "C:\\policies\\mine.js", { k: "v" }],
  ["/opt/policy.js:__proto__=x", "/opt/policy.js:__proto__=x", {}],
])("%s", (text, name, options) => {
  expect(parseSelector(text)).toEqual({ name, options });
});

test.each([
  ["", "it is empty"],
  ["random:", 'what follows ":"'],
  ["random:x", 'what follows ":"'],
  ["random:=1", 'what follows ":"'],
  ["random:a=1,", 'what follows ":"'],
  ["random:a=1,a=2", 'the option "a" is given twice'],
])("%j is refused", (text, says) => {
  expect(() => parseSelector(text)).toThrow(says);
});
