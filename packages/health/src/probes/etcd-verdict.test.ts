import type { HealthReport, Status } from "@gw/etcd-client";
import { describe, expect, test } from "vitest";
import { judge } from "./etcd-verdict.js";

const fine: Status = { leader: true, learner: false, alarms: [] };
const alarm = (alarm: string, own: boolean): Status => ({ ...fine, alarms: [{ alarm, own }] });

describe("a member is", () => {
  test.each<[what: string, report: HealthReport, status: Status | undefined, verdict: string]>([
    ["healthy", {}, fine, "healthy"],
    ["healthy when its status is unknown", {}, undefined, "healthy"],
    [
      "healthy when a read succeeds, though its status had no leader",
      {},
      { ...fine, leader: false },
      "healthy",
    ],
    [
      "unhealthy as a learner, though it answers",
      {},
      { ...fine, learner: true },
      "endpoint: it is a learner",
    ],
    [
      "unhealthy when its own data are corrupt",
      { condition: "corrupt" },
      alarm("CORRUPT", true),
      "endpoint: its data",
    ],
    [
      "unhealthy by the fault of the cluster when another member's data are corrupt",
      { condition: "corrupt" },
      alarm("CORRUPT", false),
      "cluster: ",
    ],
    [
      "unhealthy by the fault of the cluster without a leader",
      { condition: "no-leader" },
      undefined,
      "cluster: it knows no leader",
    ],
    [
      "unhealthy by the fault of the cluster when a read fails",
      { condition: "no-consensus" },
      fine,
      "cluster: its cluster does not agree",
    ],
    [
      "unhealthy by the fault of the cluster when a read fails without a leader",
      { condition: "no-consensus" },
      { ...fine, leader: false },
      "cluster: it knows no leader",
    ],
    [
      "unhealthy when it cannot read its own data, with or without a leader",
      { condition: "unhealthy" },
      { ...fine, leader: false },
      "endpoint: it reports that it is unhealthy",
    ],
  ])("%s", (_, report, status, expected) => {
    const { error, scope } = judge("etcd /readyz", report, status, "probe m");
    expect(error ? `${scope}: ${error.detail.replace("probe m: ", "")}` : "healthy").toContain(expected);
    if (error) expect(error.code).toBe("unhealthy");
  });

  test("healthy while there is no space, and that is noted", () => {
    const { error, note } = judge("etcd /health", {}, alarm("NOSPACE", false), "probe m");
    expect(error).toBeUndefined();
    expect(note).toMatch(/^the alarm NOSPACE is on: /);
  });

  test("reported with its own reason", () => {
    const { error } = judge(
      "l",
      { condition: "no-leader", reason: '"RAFT NO LEADER"' },
      undefined,
      "probe m",
    );
    expect(error?.message).toBe('[unhealthy] probe m: it knows no leader ("RAFT NO LEADER")');
  });
});
