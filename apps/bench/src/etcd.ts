import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { freePort, startProgram } from "@gw/testing";
import type { Target } from "./running-subject.js";
import { temporaryFolder } from "./temporary-folder.js";

/** In memory, so that the disk does not matter. */
const memoryFolder = "/dev/shm";

/** Starts an etcd with one member. Resolves when it accepts writes. `await using` ends it and removes its data. */
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
    if (await isHealthy(address)) return { address, isReached: isHealthy, [Symbol.asyncDispose]: stop };
  await stop();
  throw new Error(`etcd did not get healthy within 20 s: ${program.output.slice(-500)}`);
}

/** Whether etcd answers at this address and has a leader. */
async function isHealthy(address: string): Promise<boolean> {
  try {
    // Closed at once: a connection that stays open would be measured, too.
    const headers = { connection: "close" };
    const response = await fetch(`http://${address}/health`, { headers, signal: AbortSignal.timeout(1_000) });
    return response.ok && (await response.text()).includes("true");
  } catch {
    return false;
  }
}
