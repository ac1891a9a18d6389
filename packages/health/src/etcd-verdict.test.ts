import { describe, expect, test } from "vitest";
import type { Finding, Status } from "./etcd-answers.js";
import { judge } from "./etcd-verdict.js";

const fine: Status = { leader: true, learner: false, alarms: [] };
const alarm = (alarm: string, own: boolean): Status => ({ ...fine, alarms: [{ alarm, own }] });

describe("a member is", () => {
  test.each<[what: string, finding: Finding, status: Status | undefined, verdict: string]>([
    ["well", {}, fine, "well"],
    ["well as far as is known when it does not tell its status", {}, undefined, "well"],
    ["well when it agrees on a read, though it knew no leader", {}, { ...fine, leader: false }, "well"],
    ["ill as a learner, though it answers", {}, { ...fine, learner: true }, "endpoint: it is a learner"],
    [
      "ill when its own data are corrupt",
      { ailment: "corrupt" },
      alarm("CORRUPT", true),
      "endpoint: its data",
    ],
    [
      "as ill as the others when some other's are",
      { ailment: "corrupt" },
      alarm("CORRUPT", false),
      "cluster: ",
    ],
    [
      "as ill as the others without a leader",
      { ailment: "no-leader" },
      undefined,
      "cluster: it knows no leader",
    ],
    [
      "as ill as the others when a read fails",
      { ailment: "no-consensus" },
      fine,
      "cluster: its cluster does not agree",
    ],
    [
      "as ill as the others when a read fails for want of a leader",
      { ailment: "no-consensus" },
      { ...fine, leader: false },
      "cluster: it knows no leader",
    ],
    [
      "ill when it cannot read its own data, whoever leads",
      { ailment: "unwell" },
      { ...fine, leader: false },
      "endpoint: it says that it is not well",
    ],
  ])("%s", (_, finding, status, expected) => {
    const { error, scope } = judge("etcd /readyz", finding, status, "probe m");
    expect(error ? `${scope}: ${error.detail.replace("probe m: ", "")}` : "well").toContain(expected);
    if (error) expect(error.code).toBe("unhealthy");
  });

  test("well while there is no space, and that is noted", () => {
    const { error, note } = judge("etcd /health", {}, alarm("NOSPACE", false), "probe m");
    expect(error).toBeUndefined();
    expect(note).toMatch(/^the alarm NOSPACE is on: /);
  });

  test("told with its own words", () => {
    const { error } = judge("l", { ailment: "no-leader", says: '"RAFT NO LEADER"' }, undefined, "probe m");
    expect(error?.message).toBe('[unhealthy] probe m: it knows no leader ("RAFT NO LEADER")');
  });
});
