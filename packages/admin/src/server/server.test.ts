import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { sampleEndpoint, sampleEvent, sampleGateway, sampleStatus } from "../../test/sample.js";
import { get, startAdmin } from "../../test/start.js";

test("shows the status, in one line or for people", async () => {
  await using admin = await startAdmin();
  const answer = await fetch(`${admin.url}/status`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("application/json");
  expect(await answer.json()).toEqual(sampleStatus());
  const pretty = await (await fetch(`${admin.url}/status?pretty`)).text();
  expect(pretty).toBe(`${JSON.stringify(sampleStatus(), null, 2)}\n`);
});

test("every GET route answers, HEAD as GET without a body, and other methods with 405", async () => {
  await using admin = await startAdmin();
  const paths = [
    "/",
    "/status",
    "/connections",
    "/events",
    "/livez",
    "/readyz",
    "/metrics",
    "/schema/status.json",
  ];
  for (const path of paths) {
    const answer = await fetch(`${admin.url}${path}`, { headers: { "accept-encoding": "identity" } });
    const length = String((await answer.arrayBuffer()).byteLength);
    expect([path, answer.status]).toEqual([path, 200]);
    const head = await fetch(`${admin.url}${path}`, {
      method: "HEAD",
      headers: { "accept-encoding": "identity" },
    });
    expect([path, head.status, head.headers.get("content-length")]).toEqual([path, 200, length]);
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
      const refused = await fetch(`${admin.url}${path}`, { method });
      expect([path, refused.status, refused.headers.get("allow")]).toEqual([path, 405, "GET, HEAD"]);
    }
  }
});

test("without a page, / lists the routes", async () => {
  await using admin = await startAdmin();
  const answer = await fetch(admin.url);
  expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  const list = await answer.text();
  for (const route of ["GET /status", "GET /stream", "POST /actions/drain"]) expect(list).toContain(route);
});

test("/livez answers ok even if the gateway throws", async () => {
  await using admin = await startAdmin({ status: fail });
  expect(await (await fetch(`${admin.url}/livez`)).text()).toBe("ok\n");
});

test("/readyz says what is missing in the format of Kubernetes", async () => {
  let status = sampleStatus();
  await using admin = await startAdmin({ status: () => status });
  const ask = async (query = "") => {
    const answer = await fetch(`${admin.url}/readyz${query}`);
    return [answer.status, await answer.text()];
  };
  expect(await ask()).toEqual([200, "ok\n"]);
  expect(await ask("?verbose")).toEqual([200, "[+]listening ok\n[+]endpoint-up ok\nreadyz check passed\n"]);
  status = sampleStatus({ ready: false, endpoints: [{ ...sampleEndpoint("a:1"), state: "down" }] });
  const failed = [
    503,
    "[+]listening ok\n[-]endpoint-up failed: none of 1 endpoints is up\nreadyz check failed\n",
  ];
  expect(await ask()).toEqual(failed);
  expect(await ask("?verbose=true")).toEqual(failed);
  status = sampleStatus({ ready: false, endpoints: [] });
  expect((await ask())[1]).toContain("[-]endpoint-up failed: there are no endpoints");
  status = sampleStatus({ ready: false, gateway: { ...sampleStatus().gateway, state: "draining" } });
  expect((await ask())[1]).toContain("[-]listening failed: the gateway is draining");
  status = sampleStatus({ ready: false });
  expect((await ask())[1]).toContain("[-]ready failed: the gateway is not ready");
});

test.each([
  [undefined, "prometheus"],
  ["*/*", "prometheus"],
  ["text/plain", "prometheus"],
  ["application/openmetrics-text", "openmetrics"],
  // Prometheus 2 and 3.
  [
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "openmetrics",
  ],
  [
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
    "openmetrics",
  ],
  ["application/openmetrics-text;version=0.0.1", "prometheus"],
  ["application/openmetrics-text;q=0", "prometheus"],
  ["application/openmetrics-text;q=0.1, text/plain;q=0.9", "prometheus"],
  [";;;,,=;q=x", "prometheus"],
] as const)("/metrics for Accept: %s is in the format of %s", async (accept, format) => {
  await using admin = await startAdmin();
  const answer = await admin.exchange(
    get("/metrics", ...(accept === undefined ? [] : [`Accept: ${accept}`])),
  );
  expect(answer).toContain(`# format ${format}\n`);
  expect(answer).toContain(
    format === "openmetrics"
      ? "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"
      : "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n",
  );
});

test("large answers are compressed where the client asks for it", async () => {
  const metrics = "gw_up 1\n".repeat(10_000);
  await using admin = await startAdmin({ metrics: () => metrics });
  const body = (answer: string) => Buffer.from(answer.slice(answer.indexOf("\r\n\r\n") + 4), "latin1");
  const zipped = await admin.exchange(get("/metrics", "Accept-Encoding: gzip"));
  expect(zipped).toContain("Content-Encoding: gzip\r\n");
  expect(zipped).toContain("Vary: Accept, Accept-Encoding\r\n");
  expect(gunzipSync(body(zipped)).toString()).toBe(metrics);
  for (const encoding of ["gzip;q=0", "br", "identity", "*;q=0"])
    expect(body(await admin.exchange(get("/metrics", `Accept-Encoding: ${encoding}`))).toString()).toBe(
      metrics,
    );
  expect(await admin.exchange(get("/livez", "Accept-Encoding: gzip"))).toMatch(/ok\n$/);
});

test("/events and /connections pass their query on", async () => {
  await using admin = await startAdmin();
  const ask = async (path: string) => (await fetch(`${admin.url}${path}`)).json();
  expect(await ask("/events")).toMatchObject({ events: [{ id: 1 }, { id: 2 }, { id: 3 }] });
  expect(await ask("/events?after=2")).toEqual({ schema: 1, events: [sampleEvent(3)], dropped: 0 });
  expect(await ask("/connections")).toEqual(sampleGateway().connections({ after: 0, limit: 100 }));
  expect(await ask("/connections?after=7&limit=1000&endpoint=LOCALHOST:2379")).toMatchObject({
    connections: [{ connection: 8, ageMs: 1000, endpoint: "localhost:2379" }],
  });
});

test.each([
  ["/events?after=-1", "after must be a whole number from 0 to 9007199254740991"],
  ["/events?after=9007199254740992", "after must be a whole number from 0 to 9007199254740991"],
  ["/connections?limit=0", "limit must be a whole number from 1 to 1000"],
  ["/connections?limit=1001", "limit must be a whole number from 1 to 1000"],
  ["/connections?limit=1e2", "limit must be a whole number from 1 to 1000"],
  ["/connections?after=<script>", "after must be a whole number from 0 to 9007199254740991"],
  ["/connections?endpoint=<script>", "endpoint must be host:port or [IPv6]:port"],
  ["/connections?endpoint=%ff%00", "endpoint must be host:port or [IPv6]:port"],
  ["/status?pretty=<script>", "pretty must be true or false"],
  ["/readyz?verbose=2", "verbose must be true or false"],
])("%s is refused without an echo", async (path, message) => {
  await using admin = await startAdmin();
  const answer = await fetch(`${admin.url}${path}`);
  expect([answer.status, await answer.text()]).toEqual([400, `${message}\n`]);
});

test("an error of the gateway is a 500 with a fixed text, is reported once, and ends nothing", async () => {
  await using admin = await startAdmin({ status: fail, events: fail, connections: fail, metrics: fail });
  for (const path of ["/status", "/events", "/connections", "/metrics", "/readyz", "/stream"]) {
    const answer = await fetch(`${admin.url}${path}`);
    expect([path, answer.status, await answer.text()]).toEqual([
      path,
      500,
      "the gateway failed to answer; its log has the reason\n",
    ]);
  }
  expect(admin.errors).toEqual(["[unknown] answer a request to the admin server: secret"]);
});

test("what onError throws ends nothing", async () => {
  await using admin = await startAdmin({ status: fail }, { onError: fail });
  expect((await fetch(`${admin.url}/status`)).status).toBe(500);
});

test("every answer has the security headers", async () => {
  await using admin = await startAdmin();
  const requests = [
    get("/status"),
    get("/nothing"),
    get("/stream\x01"),
    "HEAD /stream HTTP/1.1\r\nHost: 1.2.3.4\r\nConnection: close\r\n\r\n",
  ];
  for (const request of [...requests, get("/livez", "Origin: http://evil.example"), "\x16\x03\x01"]) {
    const answer = await admin.exchange(request);
    for (const header of [
      "Cache-Control: no-store",
      "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
        "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
      "Cross-Origin-Opener-Policy: same-origin",
      "Cross-Origin-Resource-Policy: same-origin",
      "Referrer-Policy: no-referrer",
      "X-Content-Type-Options: nosniff",
    ])
      expect(answer).toContain(`${header}\r\n`);
    expect(answer).not.toMatch(/^(?:X-Powered-By|Server):/im);
  }
});

function fail(): never {
  throw new Error("secret");
}
