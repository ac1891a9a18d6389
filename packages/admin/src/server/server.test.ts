import { expect, test } from "vitest";
import { sampleGateway, sampleStatus } from "../../test/sample.js";
import { createAdminServer } from "./server.js";

const loopback = { host: "127.0.0.1", port: 0 };

async function startServer(overrides: Parameters<typeof sampleGateway>[0] = {}) {
  const errors: string[] = [];
  const server = await createAdminServer({
    gateway: sampleGateway(overrides),
    listen: [loopback],
    onError: error => errors.push(error.message),
  });
  return {
    errors,
    url: `http://${server.addresses[0]}`,
    [Symbol.asyncDispose]: () => server.close(),
  };
}

test("shows the status", async () => {
  await using server = await startServer();
  const answer = await fetch(`${server.url}/status`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("application/json");
  expect(await answer.json()).toEqual(sampleStatus());
});

test("every GET route answers, and HEAD as GET without a body", async () => {
  await using server = await startServer();
  for (const path of ["/", "/status", "/connections", "/events", "/livez", "/readyz", "/metrics"]) {
    const answer = await fetch(`${server.url}${path}`);
    const body = await answer.text();
    expect([path, answer.status]).toEqual([path, 200]);
    const head = await fetch(`${server.url}${path}`, { method: "HEAD" });
    expect([path, head.status, head.headers.get("content-length")]).toEqual([path, 200, `${body.length}`]);
  }
});
