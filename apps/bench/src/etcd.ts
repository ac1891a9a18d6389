import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { freePort, startProgram } from "@gw/testing";
import type { Target } from "./running.js";
import { temporaryFolder } from "./temporary-folder.js";

/** Memory, so that no disk is measured. */
const memoryFolder = "/dev/shm";

/** Starts an etcd of one member; resolves when it takes writes. `await using` ends it and removes its data. */
export async function startEtcd(): Promise<Target & AsyncDisposable> {
  const folder = temporaryFolder(existsSync(memoryFolder) ? memoryFolder : undefined);
  const [address, peer] = [`127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  const program = startProgram("etcd", [
    `--data-dir=${join(folder.path, "data")}`,
    `--listen-client-urls=http://${address}`,
    `--advertise-client-urls=http://${address}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
  ]);
  const stop = async (): Promise<void> => {
    await program[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  };
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await setTimeout(20))
    if (await isHealthy(address)) return { address, answers: isHealthy, [Symbol.asyncDispose]: stop };
  await stop();
  throw new Error(`etcd did not get healthy within 20 s: ${program.output.slice(-500)}`);
}

/** Whether etcd answers at this address and has a leader. */
async function isHealthy(address: string): Promise<boolean> {
  try {
    // Not kept alive: a connection left behind would be one more in what is measured.
    const headers = { connection: "close" };
    const response = await fetch(`http://${address}/health`, { headers, signal: AbortSignal.timeout(1_000) });
    return response.ok && (await response.text()).includes("true");
  } catch {
    return false;
  }
}
