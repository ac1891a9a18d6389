import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { findProgram } from "./program.js";

/** Where `scripts/install-test-programs.sh` unpacks Prometheus and its Python client. */
const folder = "/opt/gw-test/prometheus/usr";

/** The path of Prometheus' server: the one on the PATH, else the one that was unpacked. */
export function findPrometheus(): string | undefined {
  return find("prometheus");
}

function find(program: string): string | undefined {
  return findProgram(program) ?? [`${folder}/bin/${program}`].find(path => existsSync(path));
}

/**
 * Whether to skip tests that need Prometheus, promtool and the Python client of Prometheus: the reason if one is missing on a user's
 * machine, else false. Under CI a missing one is an error.
 */
export function missingPrometheus(): string | false {
  const absent = [
    ...["prometheus", "promtool"].filter(program => find(program) === undefined),
    runPython(["-c", "import prometheus_client.openmetrics.parser"], "").status !== 0 &&
      "prometheus_client of Python",
  ].filter(Boolean);
  if (absent.length === 0) return false;
  const reason = `not installed: ${absent.join(", ")} (${folder} or the system)`;
  if (process.env["CI"]) throw new Error(`CI must have every program that the tests need; ${reason}`);
  return reason;
}

/** What promtool says; empty if it is content. @param input its standard input */
export function promtool(args: readonly string[], input = ""): string {
  const { status, stdout, stderr, error } = spawnSync(find("promtool") ?? "promtool", args, {
    input,
    encoding: "utf8",
  });
  if (error) throw error;
  // It lints metrics with status 0, and says SUCCESS on its standard output.
  return status === 0 && stderr.replace(/^Linting.*$/m, "") === "" ? "" : `${stdout}${stderr}`;
}

/** A sample as Prometheus' Python client reads it. */
export interface ParsedSample {
  readonly name: string;
  readonly labels: { readonly [name: string]: string };
  /** As text: `1.0`, `inf`. */
  readonly value: string;
}

/** A metric as Prometheus' Python client reads it. */
export interface ParsedFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly ParsedSample[];
}

/** Parses the text of `/metrics` with Prometheus' Python client. @throws what it finds wrong */
export function parseMetrics(text: string, format: "prometheus" | "openmetrics"): readonly ParsedFamily[] {
  const parser =
    format === "openmetrics" ? "prometheus_client.openmetrics.parser" : "prometheus_client.parser";
  const program = `
import json, sys
from ${parser} import text_string_to_metric_families as parse
print(json.dumps([
  {"name": f.name, "type": f.type, "help": f.documentation,
   "samples": [{"name": s.name, "labels": s.labels, "value": str(float(s.value))} for s in f.samples]}
  for f in parse(sys.stdin.read())]))`;
  const { status, stdout, stderr } = runPython(["-c", program], text);
  if (status !== 0) throw new Error(`the parser of ${format} failed:\n${stderr}`);
  return JSON.parse(stdout) as readonly ParsedFamily[];
}

function runPython(
  args: readonly string[],
  input: string,
): { status: number | null; stdout: string; stderr: string } {
  return spawnSync("python3", args, {
    input,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    env: { ...process.env, PYTHONPATH: `${folder}/lib/python3/dist-packages`, PYTHONIOENCODING: "utf-8" },
  });
}
