import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { discoveryCompliance } from "@gw/compliance";
import { type Clock, systemClock } from "@gw/interface";
import { missing, queue, runProgram } from "@gw/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { recordEvents, watched } from "../../test/watched.js";
import { file, fileDefaults } from "./file.js";

/** So long that the file is read again only after a hint of the file system, or a refresh. */
const slow = { minRefreshMs: 3_600_000, maxRefreshMs: 3_600_000 };
/** Removes endpoints at once. */
const never = { ...slow, removalSettleMs: 0 };

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-file-"));
  path = join(folder, "endpoints.yaml");
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function replace(text: string, target = path): Promise<void> {
  await writeFile(`${target}.new`, text);
  await rename(`${target}.new`, target);
}

describe.each([
  ["written in place", (text: string) => writeFile(path, text)],
  ["replaced", replace],
])("a file that is %s", (_, write) => {
  let changes = 0;
  const suite = discoveryCompliance({
    async make() {
      await write("- a:1\n- b:2\n");
      return file(path, never);
    },
    change: () => write(`- c:${++changes}\n`),
    endpoints: [
      { host: "a", port: 1 },
      { host: "b", port: 2 },
    ],
  });
  for (const { name, run } of suite) test(name, run);
});

test("a Kubernetes ConfigMap: the file is a link into a folder that is a link, which is replaced", async () => {
  const publish = async (version: string, text: string): Promise<void> => {
    await mkdir(join(folder, version));
    await writeFile(join(folder, version, "endpoints.yaml"), text);
    await symlink(version, join(folder, "..data_tmp"));
    await rename(join(folder, "..data_tmp"), join(folder, "..data"));
  };
  await publish("..1", "- a:1\n");
  await symlink("..data/endpoints.yaml", path);
  await using watch = watched(file(path, never));
  expect(await watch.next()).toBe("a:1");
  await publish("..2", "- a:2\n");
  await rm(join(folder, "..1"), { recursive: true });
  expect(await watch.next()).toBe("a:2");
  await publish("..3", "- a:3\n");
  expect(await watch.next()).toBe("a:3");
});

test("a link to a file in another folder: either may change", async () => {
  const [one, two] = [join(folder, "one"), join(folder, "two")];
  for (const place of [one, two]) {
    await mkdir(place);
    await writeFile(join(place, "list"), `- ${place === one ? "one" : "two"}:1\n`);
  }
  await symlink(join(one, "list"), path);
  await using watch = watched(file(path, never));
  expect(await watch.next()).toBe("one:1");
  await writeFile(join(one, "list"), "- one:2\n");
  expect(await watch.next()).toBe("one:2");
  await symlink(join(two, "list"), `${path}.new`);
  await rename(`${path}.new`, path);
  expect(await watch.next()).toBe("two:1");
  await replace("- two:2\n", join(two, "list"));
  expect(await watch.next()).toBe("two:2");
});

test("the last good set stays while the file is invalid or missing, and the observer is notified", async () => {
  const observer = recordEvents();
  await writeFile(path, "- a:1\n");
  await using watch = watched(file(path, { ...never, observer }));
  expect(await watch.next()).toBe("a:1");
  const next = watch.next();
  expect(await observer.events.take()).toBe("discovered +a:1");
  await replace("- a:1\n- b:x\n");
  expect(await observer.events.take()).toBe(
    `discoveryFailed [invalid-endpoint] ${path}:2:3: endpoint "b:x": port "x" is not a number from 1 to 65535`,
  );
  await replace("[]\n");
  expect(await observer.events.take()).toBe(
    `discoveryFailed [invalid-endpoint] ${path}:1:1: this has no endpoint in it`,
  );
  await rm(path);
  expect(await observer.events.take()).toBe(`discoveryFailed [invalid-option] ${path} does not exist`);
  await replace("- a:1\n");
  expect(await observer.events.take()).toBe("discoveryRecovered");
  await replace("- b:1\n");
  expect(await observer.events.take()).toBe("discovered +b:1 -a:1");
  expect(await next).toBe("b:1");
});

test("a folder that is removed and created again", async () => {
  const observer = recordEvents();
  const inner = join(folder, "inner");
  await mkdir(inner);
  await writeFile(join(inner, "list"), "- a:1\n");
  await using watch = watched(file(join(inner, "list"), { ...never, observer }));
  expect(await watch.next()).toBe("a:1");
  const next = watch.next();
  await observer.events.take();
  await rm(inner, { recursive: true });
  expect(await observer.events.take()).toContain("does not exist");
  await mkdir(join(folder, "another"));
  await writeFile(join(folder, "another", "list"), "- a:2\n");
  await rename(join(folder, "another"), inner);
  expect(await next).toBe("a:2");
});

test("a half-written file is neither used nor reported", async () => {
  const settleMs = 12_345;
  const settling = queue<() => void>();
  const clock: Clock = {
    ...systemClock,
    after(delayMs, callback) {
      if (delayMs !== settleMs) return systemClock.after(delayMs, callback);
      settling.put(callback);
      return () => {};
    },
  };
  const observer = recordEvents();
  await writeFile(path, "- a:1\n");
  await using watch = watched(file(path, { ...never, settleMs, clock, observer }));
  expect(await watch.next()).toBe("a:1");
  expect(await observer.events.take()).toBe("discovered +a:1");
  const next = watch.next();
  await writeFile(path, "");
  // It is written only while the file is not being read, so that no two reads get the same content.
  for (const text of ["- b:", "- b:23", "- b:2379\n- ", "- b:2379\n- c\n"]) {
    const goOn = await settling.take();
    await writeFile(path, text);
    goOn();
  }
  let done = false;
  void next.then(() => {
    done = true;
  });
  while (!done) (await Promise.race([settling.take(), next.then(() => () => {})]))();
  expect(await next).toBe("b:2379 c:2379");
  expect(await observer.events.take()).toBe("discovered +b:2379 +c:2379 -a:1");
});

describe("with the default settings", () => {
  const manualRemovals = () => {
    const due = queue<() => void>();
    let nowMs = 0;
    const clock: Clock = {
      now: () => nowMs,
      after(delayMs, callback) {
        if (delayMs <= fileDefaults.settleMs || delayMs > fileDefaults.removalSettleMs)
          return systemClock.after(delayMs, callback);
        let cancelled = false;
        due.put(() => {
          if (!cancelled) callback();
        });
        return () => {
          cancelled = true;
        };
      },
    };
    return { clock, due, pass: (ms: number) => (nowMs += ms) };
  };

  test("an endpoint that is added is used at once, and one that is removed when it has been missing for a while", async () => {
    const observer = recordEvents();
    const { clock, due, pass } = manualRemovals();
    await writeFile(path, "- a:1\n- b:1\n");
    await using watch = watched(file(path, { ...slow, clock, observer }));
    expect(await watch.next()).toBe("a:1 b:1");
    await replace("- b:1\n- c:1\n");
    expect(await watch.next()).toBe("a:1 b:1 c:1");
    const next = watch.next();
    const remove = await due.take();
    pass(fileDefaults.removalSettleMs);
    remove();
    expect(await next).toBe("b:1 c:1");
  });

  test("a list that is truncated for a moment removes nothing, and adds no truncated name", async () => {
    const observer = recordEvents();
    const { clock, due, pass } = manualRemovals();
    const whole = "- a:1\n- b:1\n- 10.0.0.12:1\n";
    await writeFile(path, whole);
    await using watch = watched(file(path, { ...slow, clock, observer }));
    expect(await watch.next()).toBe("10.0.0.12:1 a:1 b:1");
    const next = watch.next();
    for (const cut of ["- a:1\n- b:1\n- 10.0.0.1", "- a:1\n", "- a"]) {
      await writeFile(path, cut);
      const remove = await due.take();
      pass(fileDefaults.removalSettleMs / 2);
      remove();
    }
    await writeFile(path, `${whole}- d:1\n`);
    expect(await next).toBe("10.0.0.12:1 a:1 b:1 d:1");
    expect(await observer.events.take()).toContain("discovered +a:1");
    expect(await observer.events.take()).toBe("discovered +d:1");
  });

  test("a refresh on request removes at once", async () => {
    const { clock, due } = manualRemovals();
    await writeFile(path, "- a:1\n- b:1\n");
    await using watch = watched(file(path, { ...slow, clock }));
    expect(await watch.next()).toBe("a:1 b:1");
    const next = watch.next();
    await replace("- b:1\n");
    await due.take();
    watch.refresh();
    expect(await next).toBe("b:1");
  });
});

test("a refresh reads the file at once", async () => {
  const observer = recordEvents();
  await writeFile(path, "- a:1\n");
  await using watch = watched(file(path, { ...never, observer }));
  expect(await watch.next()).toBe("a:1");
  const next = watch.next();
  await replace("- b:1\n");
  watch.refresh();
  expect(await next).toBe("b:1");
});

describe("at the start, it is an error when the file", () => {
  const complaint = async (target: string): Promise<string> => {
    await using watch = watched(file(target, never));
    return await watch.next().catch((error: Error) => error.message);
  };

  test("does not exist", async () => {
    expect(await complaint(path)).toBe(`[invalid-option] ${path} does not exist`);
    expect(await complaint(join(path, "x"))).toBe(`[invalid-option] ${path}/x does not exist`);
  });

  test("is a folder", async () => {
    expect(await complaint(folder)).toBe(`[invalid-option] ${folder} is a folder`);
  });

  test("has a file in place of a folder in its path", async () => {
    await writeFile(path, "- a:1\n");
    expect(await complaint(join(path, "x"))).toBe(
      `[invalid-option] ${path}/x does not exist: a part of its path is not a folder`,
    );
  });

  test("is a loop of links", async () => {
    await symlink("endpoints.yaml", path);
    expect(await complaint(path)).toBe(`[invalid-option] ${path} is a loop of symbolic links`);
  });

  test.skipIf(missing("mkfifo"))("is a named pipe without a writer", async () => {
    await runProgram("mkfifo", [path]);
    expect(await complaint(path)).toBe(`[invalid-option] ${path} is not a regular file`);
  });

  test.skipIf(process.platform === "win32")("is a device", async () => {
    expect(await complaint("/dev/zero")).toBe("[invalid-option] /dev/zero is not a regular file");
  });

  test("may not be read", async () => {
    await writeFile(path, "- a:1\n", { mode: 0 });
    // Root may read everything, so the test runs as another user for a moment.
    const isRoot = process.getuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534);
    try {
      expect(await complaint(path)).toBe(`[invalid-option] ${path} may not be read (EACCES)`);
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  test("is too large", async () => {
    await writeFile(path, "#".repeat(64 * 1024 + 1));
    expect(await complaint(path)).toBe(`[invalid-option] ${path} is larger than 64 KiB`);
  });

  test("is not text", async () => {
    await writeFile(path, Buffer.from([0x2d, 0x20, 0xff, 0xfe]));
    expect(await complaint(path)).toBe(`[invalid-option] ${path} is not text in UTF-8`);
  });

  test("has an invalid name", async () => {
    expect(await complaint("a\0b")).toBe('[invalid-option] "a\\u0000b" is not a file name');
  });

  test("has invalid content", async () => {
    await writeFile(path, "- a\n- a\n");
    expect(await complaint(path)).toBe(`[invalid-endpoint] ${path}:2:3: a:2379 is already on line 1`);
  });
});

test("options that contradict each other are rejected", () => {
  expect(() => file(path, { minRefreshMs: 2, maxRefreshMs: 1 })).toThrow("[invalid-option] the least time");
  expect(() => file(path, { settleMs: -1 })).toThrow("[invalid-option] settleMs -1 is not 0 or more");
});
