import { selectorCompliance } from "@gw/compliance";
import { expect, test } from "vitest";
import { endpoint, refused, rig } from "../../test/support.js";
import { first } from "./first.js";

for (const { name, run } of selectorCompliance(() => first())) test(name, run);

test("keeps to the first that is up, and returns to it", async () => {
  const { take, hosts, clock } = rig([endpoint("near"), endpoint("far")], { selector: first() });
  expect(hosts(3)).toEqual(["near", "near", "near"]);
  take().failed(refused);
  expect(hosts(3)).toEqual(["far", "far", "far"]);
  await clock.advance(1_000);
  expect(hosts(3)).toEqual(["near", "near", "near"]);
});
