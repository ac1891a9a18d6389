import { accessSync, mkdirSync, rmdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProgram, stallWrites } from "@gw/testing";
import { type TemporaryFolder, temporaryFolder } from "../temporary-folder.js";

/** A disk of its own for a process, whose writes can be made to hang. `await using` removes it. */
export interface StallableDisk extends AsyncDisposable {
  /** Its file system. */
  readonly folder: string;
  /** How its writes hang. */
  readonly how: string;
  /** From now on writes of this process to the disk do not end. Reads, and whatever else the process does, go on. */
  stall(pid: number): Promise<void>;
  /** Writes go on. */
  resume(): Promise<void>;
}

const controller = "/sys/fs/cgroup/blkio";
let disks = 0;

/**
 * Makes a disk: a loop device whose writes a control group limits to a byte a second; where that cannot be had, an
 * ordinary folder, and strace holds the process in its calls of fdatasync and fsync.
 */
export async function createDisk(): Promise<StallableDisk> {
  const folder = temporaryFolder();
  return (await loopDisk(folder)) ?? tracedDisk(folder);
}

async function loopDisk(parent: TemporaryFolder): Promise<StallableDisk | undefined> {
  try {
    accessSync(join(controller, "blkio.throttle.write_bps_device"));
  } catch {
    return undefined;
  }
  const [image, folder] = [join(parent.path, "image"), join(parent.path, "mounted")];
  writeFileSync(image, "");
  truncateSync(image, 1024 ** 3);
  mkdirSync(folder);
  await run("mkfs.ext4", "-q", "-F", image);
  const device = (await run("losetup", "--find", "--show", image)).trim();
  await run("mount", device, folder);
  disks += 1;
  const group = join(controller, `gw-bench-${process.pid}-${disks}`);
  mkdirSync(group);
  const { rdev } = statSync(device);
  const limit = (bytes: number): void =>
    writeFileSync(join(group, "blkio.throttle.write_bps_device"), `${rdev >> 8}:${rdev & 0xff} ${bytes}`);
  return {
    folder,
    how: "a loop device with a write limit of 1 byte/s (blkio)",
    async stall(pid: number) {
      limit(1);
      writeFileSync(join(group, "cgroup.procs"), `${pid}`);
    },
    async resume() {
      limit(0);
    },
    async [Symbol.asyncDispose]() {
      limit(0);
      await run("umount", folder);
      await run("losetup", "--detach", device);
      rmdirSync(group);
      parent[Symbol.dispose]();
    },
  };
}

function tracedDisk(folder: TemporaryFolder): StallableDisk {
  let stalled: AsyncDisposable | undefined;
  const resume = async (): Promise<void> => {
    await stalled?.[Symbol.asyncDispose]();
  };
  return {
    folder: folder.path,
    how: "strace, which holds calls of fsync and fdatasync",
    async stall(pid) {
      stalled = await stallWrites(pid);
    },
    resume,
    async [Symbol.asyncDispose]() {
      await resume();
      folder[Symbol.dispose]();
    },
  };
}

async function run(command: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(command, args);
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
  return stdout;
}
