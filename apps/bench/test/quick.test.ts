import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { missing, type Program, startProgram } from "@gw/testing";
import { afterAll, describe, expect, test } from "vitest";
import type { Results } from "../src/results.js";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const output = mkdtempSync(join(tmpdir(), "gw-bench-test-"));
afterAll(() => rmSync(output, { recursive: true, force: true }));

// All figures come from /proc.
const reason = process.platform === "linux" ? missing("cc", "etcd", "haproxy") : "it needs Linux";

describe.skipIf(reason)(`the benchmark${reason ? `: ${reason}` : ""}`, () => {
  test("measures all figures of gw and etcd gateway, and leaves no process behind", async () => {
    const chosen = ["--only=rr,bulk,connect,idle,start,growth", "--subjects=gw-default,etcd-gateway"];
    await using bench = startBench(["--quick", ...chosen, `--output=${output}`]);
    const { code, stdout, stderr } = await bench.exit;
    expect(code, stderr).toBe(0);
    const results = JSON.parse(readFileSync(join(output, "latest.json"), "utf8")) as Results;
    expect(results).toMatchObject({
      machine: { cores: expect.any(Number) },
      settings: { rounds: 1, quick: true },
      leftOut: [],
    });
    expect(results.subjects.map(({ name }) => name)).toEqual(["gw-default", "etcd-gateway"]);
    for (const { name, figures } of results.measures)
      for (const { key } of figures)
        for (const subject of ["gw-default", "etcd-gateway"]) {
          const rows = results.rows.filter(
            row => row.measure === name && row.figure === key && row.subject === subject,
          );
          expect(rows, `${name} ${key} ${subject}`).not.toEqual([]);
          for (const row of rows) expect(row).toMatchObject({ median: expect.any(Number), failures: [] });
        }
    expect(stdout).toContain("request/response: 64 × 128 B");
    for (const chart of ["ratios.svg", "growth.svg"]) {
      const svg = readFileSync(join(output, chart), "utf8");
      expect(svg).toContain("etcd gateway 3.");
      expect(svg).toContain(results.date.slice(0, 10));
    }
    expect(leftBehind(bench)).toEqual([]);
  });

  test("compares how connections scale with HAProxy, in the cases that --rows names, and lists a peer that is missing", async () => {
    const rows = "--rows=^threads|^endpoints: 100 |^open: 100 |^soak";
    const chosen = ["--only=threads,endpoints,open,soak", "--subjects=gw-default,haproxy,haproxy-3.0", rows];
    const env = { GW_BENCH_PEERS: output };
    await using bench = startBench(["--quick", ...chosen, `--output=${output}`], env);
    const { code, stdout, stderr } = await bench.exit;
    expect(code, stderr).toBe(0);
    const results = JSON.parse(readFileSync(join(output, "latest.json"), "utf8")) as Results;
    const why = expect.stringContaining("install-bench-programs.sh");
    expect(results.leftOut).toEqual([{ name: "haproxy-3.0", why }]);
    const titles = results.subjects.map(({ title }) => title);
    expect(titles).toEqual(["gw (defaults)", expect.stringMatching(/^HAProxy \d+\.\d+$/)]);
    expect([...new Set(results.rows.map(row => `${row.measure}: ${row.case}`))]).toEqual([
      "threads: 1 thread",
      "threads: 2 threads",
      "endpoints: 100 endpoints",
      "open: 100 open",
      "soak: 1,000 connections",
    ]);
    for (const row of results.rows) expect(row).toMatchObject({ median: expect.any(Number), failures: [] });
    expect(stdout).toContain(`connections by threads: rate, /s, ratios to ${titles[1]}`);
    expect(leftBehind(bench)).toEqual([]);
  });

  test("ends everything that it has started when it is interrupted", async () => {
    await using bench = startBench(["--only=rr", "--subjects=gw-default,etcd-gateway"]);
    await bench.printed(/round 1 of 5: request\/response/);
    bench.kill("SIGINT");
    expect((await bench.exit).code).toBe(1);
    await expect.poll(() => leftBehind(bench)).toEqual([]);
  });
});

/** A variable that all descendants inherit marks the processes of this run. */
const mark = `GW_BENCH_TEST_${process.pid}`;

function startBench(args: readonly string[], env: { readonly [name: string]: string } = {}): Program {
  return startProgram(process.execPath, ["--import", "tsx", main, ...args], { env: { ...env, [mark]: "1" } });
}

/** The marked processes, without the benchmark itself. */
function leftBehind(bench: Program): string[] {
  const marked = readdirSync("/proc").filter(
    pid => /^\d+$/.test(pid) && environment(pid).includes(`${mark}=1`),
  );
  return marked.filter(pid => Number(pid) !== bench.pid);
}

function environment(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8");
  } catch {
    return "";
  }
}
