import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { GatewayError } from "@gw/interface";

/** What of etcd is on the PATH. */
export interface InstalledEtcd {
  /** `3.5.21`. */
  readonly version: string;
  /** Whether there is an `etcdctl` too. */
  readonly etcdctl: boolean;
}

/** The `etcd` on the PATH; or, in a line, why there is none that runs. */
export async function findEtcd(signal: AbortSignal): Promise<InstalledEtcd | string> {
  try {
    const output = await run("etcd", ["--version"], signal);
    const etcdctl = await run("etcdctl", ["version"], signal).catch(() => undefined);
    const version = /etcd Version: *(\S+)/.exec(output)?.[1] ?? "unknown version";
    return { version, etcdctl: etcdctl !== undefined };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      return "etcd is not on the PATH";
    return `etcd does not run: ${GatewayError.from(error, "etcd --version").detail}`;
  }
}

/**
 * This process's environment without the variables that configure an etcd (`ETCD_NAME`), except for the one
 * that lets etcd run on an architecture that it does not support.
 */
export function etcdEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !name.startsWith("ETCD_") || name === "ETCD_UNSUPPORTED_ARCH",
  );
  return Object.fromEntries(inherited);
}

async function run(program: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  const env = { ...etcdEnvironment(), ETCDCTL_API: "3" };
  const { stdout } = await promisify(execFile)(program, args, { env, signal, timeout: 10_000 });
  return stdout;
}
