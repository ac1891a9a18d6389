// Which relay moves the bytes, and which log line shows it.
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectTo, echo, outcome, runGw, startBackend, startGw, startProgram } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { root } from "./packed.js";

const binary = join(root, `packages/splice/prebuilt/${process.platform}-${process.arch}.node`);
const wanted = existsSync(binary) ? "native" : "js";

async function expectEcho(port: number): Promise<void> {
  const client = await connectTo(port);
  client.end("hello");
  expect(await outcome(client)).toEqual({ received: Buffer.from("hello"), end: "end" });
}

describe("the relay", () => {
  test.each([
    ["auto", wanted],
    ["js", "js"],
    [wanted, wanted],
  ])("--relay=%s runs the %s relay and logs it", async (choice, name) => {
    await using backend = await startBackend(echo);
    await using gw = await startGw([`--endpoints=127.0.0.1:${backend.port}`, `--relay=${choice}`]);
    expect(await gw.logged(/ready/)).toMatchObject({ relay: name });
    await expectEcho(gw.port);
  });

  test("without a native relay, auto logs why and goes on; native ends with exit code 1", async () => {
    const folder = mkdtempSync(join(tmpdir(), "gw-relay-"));
    try {
      // A gw whose @gw/splice has no binary.
      for (const part of ["apps/cli/bin", "apps/cli/dist", "apps/cli/package.json"])
        cpSync(join(root, part), join(folder, part), { recursive: true });
      cpSync(join(root, "packages/splice/dist"), join(folder, "splice/dist"), { recursive: true });
      cpSync(join(root, "packages/splice/package.json"), join(folder, "splice/package.json"));
      const modules = (path: string): void =>
        cpSync(
          join(root, path, "node_modules"),
          join(folder, path.replace("packages/", ""), "node_modules"),
          {
            recursive: true,
            verbatimSymlinks: false,
            filter: source => !/node_modules\/(@gw\/splice|\.bin|@types)/.test(source.slice(root.length)),
            dereference: false,
          },
        );
      modules("apps/cli");
      modules("packages/splice");
      symlinkSync(join(folder, "splice"), join(folder, "apps/cli/node_modules/@gw/splice"));
      const start = (choice: string) =>
        startProgram(process.execPath, [
          join(folder, "apps/cli/bin/gw.js"),
          "start",
          "--listen-addr=127.0.0.1:0",
          `--relay=${choice}`,
        ]);
      await using auto = start("auto");
      await auto.printed(/there is no binary for .*\n.*"relay":"js"/);
      await using native = start("native");
      expect(await native.exit).toMatchObject({ code: 1 });
      expect(native.output).toMatch(/^gw: error: native relay: there is no binary for /m);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test.each(["0", "65", "two"])("--relay-threads=%s is refused", async threads => {
    const { code, stderr } = await runGw(["start", `--relay-threads=${threads}`]);
    expect(code).toBe(2);
    expect(stderr).toContain("is not a whole number from 1 to 64");
  });

  test("connections without a byte are reset after --idle-timeout", async () => {
    await using backend = await startBackend();
    await using gw = await startGw([
      `--endpoints=127.0.0.1:${backend.port}`,
      "--idle-timeout=100ms",
      "--log-level=debug",
    ]);
    const client = await connectTo(gw.port);
    expect(await outcome(client)).toMatchObject({ end: "ECONNRESET" });
    expect(await gw.logged(/closed/)).toMatchObject({ end: "timed-out" });
  });
});
