// What endpoints answer to checks can be anything. The seeds are fixed, and the corpus keeps answers that were misread
// once, or nearly.
import { readFileSync } from "node:fs";
import { createEtcdCalls } from "@gw/etcd-client";
import type { Verdict } from "@gw/interface";
import { startBackend } from "@gw/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { at, probeOnce } from "../../test/probing.js";
import { autoProbe } from "./auto.js";
import { etcdProbe } from "./etcd.js";
import { judge, judgeStatus } from "./etcd-verdict.js";
import { httpProbe } from "./http.js";

const corpus = (name: string): readonly string[] =>
  JSON.parse(readFileSync(new URL(`../../test/corpus/${name}.json`, import.meta.url), "utf8"));
const [bodies, responses] = [corpus("answers"), corpus("responses")];

const word = fc.constantFrom(
  ...["health", "reason", "header", "member_id", "cluster_id", "leader", "errors", "isLearner", "etcdserver"],
  ...[
    "version",
    "dbSize",
    "true",
    "false",
    "0",
    "1",
    "raft_term",
    "18446744073709551616",
    "-1",
    "memberID:1 alarm:CORRUPT",
    "RAFT NO LEADER",
    "__proto__",
  ],
);
const value = fc.letrec(tie => ({
  value: fc.oneof(
    { maxDepth: 4 },
    word,
    fc.jsonValue({ maxDepth: 2 }),
    fc.dictionary(word, tie("value"), { maxKeys: 5 }),
    fc.array(tie("value"), { maxLength: 3 }),
  ),
})).value;
const line = fc
  .tuple(
    fc.constantFrom("[+]", "[-]", "[", ""),
    fc.constantFrom("linearizable_read", "data_corruption", "non_learner", "ping", "constructor"),
    fc.constantFrom(" ok", " failed: ", "\u001b[0m", "\r"),
    fc.string({ unit: "binary", maxLength: 8 }),
  )
  .map(parts => parts.join(""));
const body = fc.oneof(
  value.map(one => JSON.stringify(one) ?? ""),
  fc.array(line, { maxLength: 5 }).map(lines => lines.join("\n")),
  fc.string({ unit: "binary", maxLength: 60 }),
);
const status = fc.constantFrom(200, 503, 204, 404, 500);

/** A verdict that may be printed as it is. */
function expectOneLine({ error, note = "", check }: Verdict): void {
  expect(`${check} ${note} ${error?.message ?? ""}`).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u);
}

test("any answer is read to a verdict in one line, or is not etcd's", async () => {
  let response = { status: 200, text: "" };
  const calls = createEtcdCalls({
    request: async () => ({
      ...response,
      isFresh: true,
      roundTripMs: 1,
      remoteAddress: "",
      localAddress: "",
    }),
    isSecure: () => false,
    close() {},
  });
  const limits = { timeoutMs: 1_000, signal: new AbortController().signal };
  const endpoint = at(2379);
  await fc.assert(
    fc.asyncProperty(status, body, async (code, text) => {
      response = { status: code, text };
      const { status: known, identity } = await calls.status(endpoint, limits);
      if (known) expectOneLine(judgeStatus("etcd", known, "probe"));
      for (const ask of [calls.readyz, calls.localReadyz, calls.health, calls.localHealth]) {
        const { report } = await ask(endpoint, limits);
        if (!report) continue;
        expect([200, 503]).toContain(code);
        expectOneLine(judge("etcd", report, known, "probe"));
      }
      for (const id of [identity?.memberId, identity?.clusterId, identity?.leaderId])
        expect(id ?? "0").toMatch(/^[0-9a-f]{1,16}$/);
      expect(identity?.raftTerm ?? 1).toSatisfy((term: number) => Number.isSafeInteger(term) && term > 0);
      for (const version of [identity?.version, (await calls.version(endpoint, limits)).version])
        expect(version ?? "").toMatch(/^[-+.\w]{0,60}$/);
    }),
    {
      seed: 1,
      numRuns: 3_000,
      examples: bodies.flatMap(text => [200, 503].map(code => [code, text] as [number, string])),
    },
  );
});

test("any response gets a verdict in one line, whether the server closes the connection or not", async () => {
  let response = "";
  await using server = await startBackend(socket =>
    socket.once("data", () => socket.end(Buffer.from(response, "latin1"))),
  );
  const head = fc
    .tuple(
      fc.constantFrom("HTTP/1.1 200 OK", "HTTP/1.1 503 No", "HTTP/1.0 200", "HTTP/1.1 101 X", "HTP/1.1 200"),
      fc.array(
        fc.constantFrom(
          ...["Content-Length: 5", "Content-Length: x", "Transfer-Encoding: chunked", "Connection: close"],
          ...["Content-Type: application/json", "Trailer: a", "Expect: 1", "X\u0000: y", " folded", ":"],
        ),
        { maxLength: 4 },
      ),
    )
    .map(([first, headers]) => [first, ...headers, "", ""].join("\r\n"));
  const raw = fc.oneof(
    fc.tuple(head, body).map(([start, text]) => start + text),
    fc.string({ unit: "binary", maxLength: 100 }),
  );
  await fc.assert(
    fc.asyncProperty(raw, async text => {
      response = text;
      for (const depth of ["regular", "deep"] as const) {
        const probes = [autoProbe, etcdProbe, httpProbe].map(make => make({ timeoutMs: 250 }));
        const probing = probes.map(probe => probeOnce(probe, at(server.port, false), { depth }));
        for (const verdict of await Promise.all(probing)) expectOneLine(verdict);
        for (const probe of probes) probe.close();
      }
    }),
    {
      seed: 2,
      numRuns: 20,
      interruptAfterTimeLimit: 20_000,
      examples: responses.map(text => [text] as [string]),
    },
  );
});
