import type { ServerResponse } from "node:http";
import { describe, expect, test } from "vitest";
import { type FakeEtcd, json, startFakeEtcd } from "../../test/fake-etcd.js";
import { type RecordedEvents, recordEvents, type Watched, watched } from "../../test/watched.js";
import { parseEndpoints } from "../parse.js";
import { staticEndpoints } from "../static.js";
import { type MembersOptions, members } from "./members.js";

const user = { user: "root", password: "pass-word" };

interface Guarded extends FakeEtcd {
  /** Makes the token that was given last worthless. */
  revoke(): void;
  /** The requests: the last part of the path, and the token. */
  readonly requests: readonly string[];
}

/** A server that requires a token. Its errors contain the credentials that it received. */
async function startGuarded(
  refuse = (response: ServerResponse, token: string | undefined) =>
    json(response, 401, { error: `etcdserver: invalid auth token ${token}`, code: 16 }),
): Promise<Guarded> {
  let tokens = 0;
  let valid = "static-token";
  const server: FakeEtcd = await startFakeEtcd(({ path, token, body }, response) => {
    if (path === "POST /v3/auth/authenticate") {
      const { name, password } = body as { readonly name: string; readonly password: string };
      if (name !== user.user || password !== user.password)
        return json(response, 400, { error: `etcdserver: authentication failed: ${password}`, code: 3 });
      valid = `token-${++tokens}`;
      return json(response, 200, { token: valid });
    }
    if (token !== valid) return refuse(response, token);
    json(response, 200, { members: [{ name: "m0", clientURLs: [server.url] }] });
  });
  return Object.assign(
    {
      revoke() {
        valid = "another";
      },
      get requests() {
        return server.asked.map(({ path, token }) => [path.replace(/^.*\//, ""), token].join(" "));
      },
    },
    server,
  ) as Guarded;
}

/** Begins to watch, and returns the event of the first request too. */
async function watchOnce(
  server: FakeEtcd,
  auth: MembersOptions["auth"],
  options: Partial<MembersOptions> = {},
): Promise<{ readonly watch: Watched; readonly observer: RecordedEvents; readonly event: string }> {
  const observer = recordEvents();
  const seeds = staticEndpoints(parseEndpoints(server.url).endpoints);
  // Only a refresh makes it ask again.
  const never = { intervalMs: 3_600_000, minRefreshMs: 3_600_000, maxRefreshMs: 3_600_000 };
  const watch = watched(members({ seeds, ...never, ...options, auth, observer }));
  await watch.next();
  const end = watch.next();
  const event = await observer.events.take();
  void end;
  return { watch, observer, event: event.replaceAll(server.address, "SERVER") };
}

describe("a user and a password", () => {
  test("are changed for a token, which is kept until it is refused", async () => {
    await using server = await startGuarded();
    const { watch, event } = await watchOnce(server, user);
    await using _ = watch;
    expect(event).toBe("discovered +SERVER");
    watch.refresh();
    await expect.poll(() => server.requests.length).toBe(3);
    server.revoke();
    watch.refresh();
    await expect
      .poll(() => server.requests)
      .toEqual([
        "authenticate ",
        "list token-1",
        "list token-1",
        "list token-1",
        "authenticate ",
        "list token-2",
      ]);
    expect(server.asked[0]?.body).toEqual({ name: "root", password: "pass-word" });
  });

  test.each([
    [401, {}],
    [400, { error: "etcdserver: user name is empty", code: 3 }],
    [400, { error: "etcdserver: revision of auth store is old", code: 3 }],
    [403, { error: "etcdserver: permission denied", code: 7 }],
  ])("get a new token when the old one is refused with %i %j", async (status, body) => {
    await using server = await startGuarded(response => json(response, status, body));
    const { watch } = await watchOnce(server, user);
    await using _ = watch;
    server.revoke();
    watch.refresh();
    await expect.poll(() => server.requests.at(-1)).toBe("list token-2");
  });

  test("are changed for no third token when the second is refused at once", async () => {
    await using server = await startFakeEtcd(({ path }, response) =>
      path.endsWith("authenticate") ? json(response, 200, { token: "t" }) : json(response, 401, {}),
    );
    const { watch, event } = await watchOnce(server, user);
    await using _ = watch;
    expect(event).toBe(
      "discoveryFailed [not-permitted] no server lists the members: ask SERVER: it refuses (status 401)",
    );
    expect(server.asked.length).toBe(4);
  });

  test("that are wrong are reported, without showing them", async () => {
    await using server = await startGuarded();
    const { watch, event } = await watchOnce(server, { user: "root", password: "wr-ong" });
    await using _ = watch;
    expect(event).toBe(
      'discoveryFailed [not-permitted] no server lists the members: ask SERVER as "root": it refuses, "etcdserver: authentication failed: …" (status 400)',
    );
  });

  test("do no harm where authentication is off", async () => {
    await using server = await startFakeEtcd(({ path }, response) => {
      if (path.endsWith("authenticate"))
        return json(response, 412, { error: "etcdserver: authentication is not enabled", code: 9 });
      json(response, 200, { members: [{ name: "m0", clientURLs: [server.url] }] });
    });
    const { watch, event } = await watchOnce(server, user);
    await using _ = watch;
    expect(event).toBe("discovered +SERVER");
    expect(server.asked.at(-1)?.token).toBe(undefined);
  });

  test("are not sent to a server without TLS where a CA is given", async () => {
    await using server = await startGuarded();
    const { watch, event } = await watchOnce(server, user, { tls: { ca: "any" } });
    await using _ = watch;
    expect(event).toContain("discoveryFailed [not-permitted]");
    expect(event).toContain("SERVER is without TLS");
    expect(server.asked).toEqual([]);
  });

  test("may change until the next request", async () => {
    await using server = await startGuarded();
    const both = [{ user: "root", password: "old" }, user];
    const { watch, observer, event } = await watchOnce(server, async () => both.shift() ?? user);
    await using _ = watch;
    expect(event).toContain("discoveryFailed [not-permitted]");
    watch.refresh();
    expect(await observer.events.take()).toBe("discoveryRecovered");
  });
});

describe("a token", () => {
  test("is sent as it is", async () => {
    await using server = await startGuarded();
    const { watch, event } = await watchOnce(server, { token: "static-token" });
    await using _ = watch;
    expect(event).toBe("discovered +SERVER");
    expect(server.requests).toEqual(["list static-token"]);
  });

  test("that is refused is reported, without showing it", async () => {
    await using server = await startGuarded();
    const { watch, event } = await watchOnce(server, { token: "sec-ret" });
    await using _ = watch;
    expect(event).toBe(
      'discoveryFailed [not-permitted] no server lists the members: ask SERVER: it refuses, "etcdserver: invalid auth token …" (status 401)',
    );
    expect(server.requests).toEqual(["list sec-ret"]);
  });

  test.each(["", "a\nb", "é"])("that is invalid, %j, is reported", async token => {
    await using server = await startGuarded();
    const { watch, event } = await watchOnce(server, { token });
    await using _ = watch;
    expect(event).toContain("discoveryFailed");
    expect(event.slice(30)).not.toContain(token || "\n");
  });
});

test.each([{}, { token: 1 }, { token: "" }, { token: "a\r\nb: c" }, null])(
  "an answer to a log-in that is %j is none",
  async answer => {
    await using server = await startFakeEtcd((_, response) => json(response, 200, answer));
    const { watch, event } = await watchOnce(server, user);
    await using _ = watch;
    expect(event).toMatch(
      /^discoveryFailed \[unknown\] no server lists the members: ask SERVER: its answer to a log-in is no token/,
    );
  },
);
