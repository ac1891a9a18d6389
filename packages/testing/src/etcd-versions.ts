import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { findProgram } from "./program.js";

/** A version of etcd that tests run with; they differ in what they answer to health checks. */
export type EtcdVersion = "3.4" | "3.5";

/** All of them, for a suite that runs once for each: `describe.skipIf(missingEtcd(version))`. */
export const etcdVersions: readonly EtcdVersion[] = ["3.4", "3.5"];

/** Where `scripts/install-test-programs.sh` unpacks a version that the system does not have. */
const folder = "/opt/gw-test";

const found = new Map<EtcdVersion, string | undefined>();

/**
 * The path of `etcd` of this version: what `GW_TEST_ETCD_3_5` names, for example, else the one that
 * `scripts/install-test-programs.sh` has unpacked, else the one on the PATH. Undefined if none of them is of that version.
 */
export function findEtcd(version: EtcdVersion): string | undefined {
  if (!found.has(version)) found.set(version, candidates(version).find(isOf(version)));
  return found.get(version);
}

/**
 * Whether to skip tests that need this version of etcd: the reason if it is missing on a user's machine, else false.
 * Under CI a missing version is an error, as for {@link missing}.
 */
export function missingEtcd(version: EtcdVersion): string | false {
  if (findEtcd(version) !== undefined) return false;
  const reason = `not installed: etcd ${version} (${variableOf(version)}, ${folder} or the PATH)`;
  if (process.env["CI"]) throw new Error(`CI must have every program that the tests need; ${reason}`);
  return reason;
}

function variableOf(version: EtcdVersion): string {
  return `GW_TEST_ETCD_${version.replace(".", "_")}`;
}

/** A path that a user names is the only one. */
function candidates(version: EtcdVersion): readonly string[] {
  const named = process.env[variableOf(version)];
  if (named !== undefined) return [named];
  const onPath = findProgram("etcd");
  const unpacked = `${folder}/etcd-${version}/usr/bin/etcd`;
  return [...(existsSync(unpacked) ? [unpacked] : []), ...(onPath === undefined ? [] : [onPath])];
}

function isOf(version: EtcdVersion): (path: string) => boolean {
  return path => {
    try {
      return execFileSync(path, ["--version"], { encoding: "utf8" }).startsWith(`etcd Version: ${version}.`);
    } catch {
      return false;
    }
  };
}
