import { chmod, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missing, runProgram } from "@gw/testing";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadCredentials } from "./credentials.js";

let folder: string;
let files = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gw-credentials-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function fileWith(content: string | Uint8Array, mode = 0o600): Promise<string> {
  files += 1;
  const path = join(folder, `secret${files}`);
  await writeFile(path, content);
  await chmod(path, mode);
  return path;
}

/** The credentials of a file, or what is wrong with it. */
function load(
  flags: Parameters<typeof loadCredentials>[0],
  onWarning: (why: string) => void = () => {},
): unknown {
  try {
    const loaded = loadCredentials(flags, (_, why) => onWarning(why));
    return typeof loaded === "function" ? loaded() : loaded;
  } catch (error) {
    return error instanceof Error ? error.message : error;
  }
}

test("come from a flag or a file, of which a line end does not count", async () => {
  const user = { user: "root", password: "pa:ss word" };
  expect(load({})).toBeUndefined();
  expect(load({ etcdUser: "root:pa:ss word" })).toEqual(user);
  for (const end of ["", "\n", "\r\n", "\n\n"])
    expect(load({ etcdUserFile: await fileWith(`root:pa:ss word${end}`) })).toEqual(user);
  expect(load({ etcdTokenFile: await fileWith("abc.def\n") })).toEqual({ token: "abc.def" });
});

test.each<[string, string | Uint8Array, RegExp]>([
  ["empty", "", /is empty$/],
  ["only a line end", "\n", /is empty$/],
  ["without a colon", "SECRET", /is not of the form name:password$/],
  ["without a name", ":SECRET", /is not of the form name:password$/],
  ["two lines", "root:SECRET\nother:SECRET\n", /has more than one line$/],
  ["huge", `root:SECRET${"x".repeat(100_000)}`, /has more than 8192 bytes$/],
  ["with NUL", "root:SECRET\0", /has control characters in it$/],
  ["not text", Buffer.from([0x72, 0x3a, 0xff, 0xfe]), /is not text in UTF-8$/],
])("a file that is %s is refused, and shows nothing of itself", async (_, content, why) => {
  const refusal = load({ etcdUserFile: await fileWith(content) });
  expect(refusal).toMatch(/^\[invalid-option\] --etcd-user-file "/);
  expect(refusal).toMatch(why);
  expect(refusal).not.toContain("SECRET");
});

test("a token with blanks or letters that no header takes is refused", async () => {
  for (const content of ["a b", "Bearer SECRET", "SECRÉT"]) {
    const refusal = load({ etcdTokenFile: await fileWith(content) });
    expect(refusal).toMatch(/has no token/);
    expect(refusal).not.toContain("SECR");
  }
});

test.skipIf(missing("mkfifo"))("what is no regular file is refused at once", async () => {
  const fifo = join(folder, "fifo");
  await runProgram("mkfifo", [fifo]);
  expect(load({ etcdUserFile: fifo })).toMatch(/is not a regular file$/);
  expect(load({ etcdUserFile: folder })).toMatch(/is a directory$/);
  expect(load({ etcdUserFile: "/dev/zero" })).toMatch(/is not a regular file$/);
  expect(load({ etcdUserFile: join(folder, "none") })).toMatch(/cannot be read: .*ENOENT/);
});

describe.skipIf(process.platform === "win32")("a file", () => {
  test("that everyone may read is warned of, once", async () => {
    const warnings: string[] = [];
    const path = await fileWith("root:x", 0o644);
    load({ etcdUserFile: path }, why => warnings.push(why));
    expect(warnings).toEqual([
      expect.stringMatching(/can be read by every user of this machine \(mode 644\)$/),
    ]);
    load({ etcdUserFile: await fileWith("root:x", 0o640) }, why => warnings.push(why));
    expect(warnings).toHaveLength(1);
  });

  test("that changes is used as it is now, also through a link; one that cannot be used leaves the old in force", async () => {
    const warnings: string[] = [];
    const link = join(folder, "link");
    const swap = async (target: string): Promise<void> => {
      await symlink(target, `${link}.new`);
      await rename(`${link}.new`, link);
    };
    await swap(await fileWith("root:first"));
    const current = loadCredentials({ etcdUserFile: link }, (_, why) => warnings.push(why)) as () => unknown;
    expect(current()).toEqual({ user: "root", password: "first" });
    await swap(await fileWith("root:second\n"));
    expect(current()).toEqual({ user: "root", password: "second" });
    await swap(join(folder, "nowhere"));
    for (const _ of [1, 2, 3]) expect(current()).toEqual({ user: "root", password: "second" });
    expect(warnings).toEqual([expect.stringMatching(/cannot be read: .*; what was read before is used$/)]);
    await swap(await fileWith("root:third"));
    expect(current()).toEqual({ user: "root", password: "third" });
  });
});

test("any content is read or refused in one line that shows none of it", async () => {
  const path = await fileWith("");
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async bytes => {
      await writeFile(path, Buffer.concat([Buffer.from("SECRET"), bytes]));
      for (const flags of [{ etcdUserFile: path }, { etcdTokenFile: path }]) {
        const loaded = load(flags);
        if (typeof loaded === "string") expect(loaded).toMatch(/^\[invalid-option\] (?:(?!SECRET).)+$/);
        else expect(loaded).toBeTypeOf("object");
      }
    }),
    { seed: 1, numRuns: 200 },
  );
});
