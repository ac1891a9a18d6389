import { readFileSync } from "node:fs";
import { GatewayError } from "@gw/interface";
import { missing, runProgram } from "@gw/testing";
import { describe, expect, test } from "vitest";
import * as limits from "../src/server/limits.js";
import { startAdmin } from "./start.js";

const docs = readFileSync(new URL("../../../docs/admin-api.md", import.meta.url), "utf8");
const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

/** The commands of all examples, and what they print; `…` stands for any text. */
const examples = [...docs.matchAll(/^```console\n(.*?)^```$/gms)].flatMap(([, block = ""]) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map(example => {
      const [command = "", ...output] = example.split("\n");
      return { command, output: output.join("\n") };
    }),
);

const noCurl = missing("curl");

describe.each(examples)("$command", ({ command, output }) => {
  test.skipIf(noCurl)("prints what the page shows", async () => {
    const known = ["10.0.0.1:2379", "10.0.0.2:2379"];
    await using admin = await startAdmin({
      actions: {
        drain(endpoint) {
          if (endpoint === known[0])
            throw new GatewayError("refused", `${endpoint} is the last endpoint that is up`);
        },
        markDown() {},
        undrain() {},
        check: async () => "no leader",
        refresh() {},
        setLogLevel() {},
      },
    });
    const here = command.replace("127.0.0.1:2381", `127.0.0.1:${admin.port}`).replace("curl ", "curl -sS ");
    const { stdout } = await runProgram("sh", ["-c", here]);
    const parts = output.split("…").map(part => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
    expect(stdout.replaceAll("\r", "")).toMatch(new RegExp(`^${parts.join("[^]*?")}$`));
  });
});

test("the page has an example of every kind, and lists every route", async () => {
  expect(examples.length).toBeGreaterThanOrEqual(9);
  await using admin = await startAdmin();
  const list = await (await fetch(admin.url)).text();
  for (const [, route = ""] of list.matchAll(/^(?:GET|POST) (\S+)$/gm)) expect(docs).toContain(route);
});

test("the limits of the README are those of the code", () => {
  const rows = [...readme.matchAll(/^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm)].map(([row]) => row);
  const row = (begin: string) => rows.find(text => text.startsWith(`| ${begin}`));
  expect(row("connections")).toContain(` ${limits.maxConnections} `);
  expect(row("requests of one")).toContain(` ${limits.maxPipelined} `);
  expect(row("request line")).toContain(
    `${limits.maxHeaderSize / 1024} KiB, ${limits.maxHeaders} headers, ${limits.maxTargetLength} characters`,
  );
  expect(row("body")).toContain(`${limits.maxBody / 1024} KiB`);
  expect(row("time for all")).toContain(
    `${limits.headersTimeoutMs / 1000} s, ${limits.requestTimeoutMs / 1000} s`,
  );
  expect(row("idle time")).toContain(`${limits.keepAliveTimeoutMs / 1000} s`);
  expect(row("time to take")).toContain(`${limits.answerTimeoutMs / 1000} s`);
  expect(row("streams")).toContain(` ${limits.maxStreams} `);
  expect(row("bytes that wait")).toContain(`${limits.maxStreamBuffer / 1024} KiB`);
  expect(row("bytes that wait")).toContain(`for ${limits.streamStallMs / 1000} s`);
  expect(row("checks")).toContain(`${limits.maxChecks} at a time, ${limits.checkTimeoutMs / 1000} s`);
});
