import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { type Certificate, type CertificateAuthority, createAuthority, missing } from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { json, startFakeCluster } from "../../test/fake-etcd.js";
import { recordEvents, watched } from "../../test/watched.js";
import { parseEndpoints } from "../parse.js";
import { staticEndpoints } from "../static.js";
import { type MembersOptions, members } from "./members.js";

/** A member that speaks TLS, and demands a client certificate if `clientCa` is given. */
async function startSecure(
  { cert, key }: Certificate,
  clientCa?: string,
): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer(
    { cert, key, ...(clientCa && { ca: clientCa, requestCert: true, rejectUnauthorized: true }) },
    (request, response) => {
      request.resume();
      json(response, 200, { members: [{ name: "m0", clientURLs: [url] }] });
    },
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** The event of the first request, with `SERVER` in place of the address. */
async function firstEvent(url: string, options: Partial<MembersOptions>): Promise<string> {
  const observer = recordEvents();
  const seeds = staticEndpoints(parseEndpoints(url).endpoints);
  await using watch = watched(members({ seeds, ...options, observer }));
  await watch.next();
  const end = watch.next();
  const event = await observer.events.take();
  void end;
  return event.replaceAll(url.replace(/^https?:\/\//, ""), "SERVER");
}

const known = "discovered +SERVER";
const untrusted = "discoveryFailed [untrusted] no server lists the members: ask SERVER: ";

describe.skipIf(missing("openssl"))("a member that speaks TLS", () => {
  let authority: CertificateAuthority;
  beforeAll(async () => {
    authority = await createAuthority();
  });
  afterAll(() => authority[Symbol.asyncDispose]());

  test("is asked if it has a certificate of the CA for its host", async () => {
    await using server = await startSecure(await authority.issue());
    expect(await firstEvent(server.url, { tls: { ca: authority.cert } })).toBe(known);
    expect(await firstEvent(server.url, { tls: async () => ({ ca: Buffer.from(authority.cert) }) })).toBe(
      known,
    );
  });

  test("is not asked without the CA, or with another", async () => {
    await using server = await startSecure(await authority.issue());
    await using other = await createAuthority("another CA");
    for (const tls of [undefined, {}, { ca: other.cert }])
      expect(await firstEvent(server.url, { tls })).toContain(untrusted);
  });

  test("is asked if its certificate is for one of the other names, and only then", async () => {
    await using server = await startSecure(await authority.issue({ names: ["example.com"] }));
    const tls = { ca: authority.cert };
    expect(await firstEvent(server.url, { tls })).toContain(untrusted);
    expect(await firstEvent(server.url, { tls, serverNames: ["example.org"] })).toContain(untrusted);
    expect(await firstEvent(server.url, { tls, serverNames: ["example.org", "example.com."] })).toBe(known);
  });

  // As Go's clients, and gw's checks of endpoints, see it; Node's own check lets the first two pass.
  test.each([
    ["by its common name alone", { names: [], commonName: "host.example.com" }],
    ["by a wildcard for a part of a label", { names: ["h*.example.com"] }],
    ["by a wildcard for two labels", { names: ["*.com"] }],
    ["by another name", { names: ["example.com"] }],
  ])("and is for the host %s gets no password and no token", async (_, content) => {
    let received = 0;
    const { cert, key } = await authority.issue(content);
    const server = createTlsServer({ cert, key }, socket =>
      socket
        .on("error", () => {})
        .on("data", chunk => {
          received += chunk.length;
        }),
    );
    server.on("tlsClientError", () => {}).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `https://host.example.com:${(server.address() as AddressInfo).port}`;
    const options = { tls: { ca: authority.cert }, lookup: async () => ["127.0.0.1"] };
    try {
      for (const auth of [{ user: "root", password: "secret" }, { token: "secret" }])
        expect(await firstEvent(url, { ...options, auth })).toContain("certificate");
      expect(received).toBe(0);
    } finally {
      server.close();
    }
  });

  test("is asked with a certificate that is trusted itself, as with Go", async () => {
    const own = await authority.issue();
    await using server = await startSecure(own);
    expect(await firstEvent(server.url, { tls: { ca: own.cert } })).toBe(known);
  });

  test("is not asked when its certificate has expired", async () => {
    const notAfter = new Date(Date.now() - 60_000);
    await using server = await startSecure(await authority.issue({ notAfter }));
    expect(await firstEvent(server.url, { tls: { ca: authority.cert } })).toContain(
      `${untrusted}its certificate has expired`,
    );
  });

  test("and requires a client certificate gets it", async () => {
    await using server = await startSecure(await authority.issue(), authority.cert);
    const { cert, key } = await authority.issue({ usage: "client" });
    expect(await firstEvent(server.url, { tls: { ca: authority.cert, cert, key } })).toBe(known);
    expect(await firstEvent(server.url, { tls: { ca: authority.cert } })).toContain("discoveryFailed");
  });

  test("and is given without https is reported to need it", async () => {
    await using server = await startSecure(await authority.issue());
    const plain = server.url.replace("https://", "");
    expect(await firstEvent(plain, { tls: { ca: authority.cert } })).toContain(
      "write https:// in front of it",
    );
  });

  test("according to its URL, and does not, is not asked", async () => {
    await using cluster = await startFakeCluster(1);
    const url = `https://${cluster.servers[0]?.address}`;
    expect(await firstEvent(url, { tls: { ca: authority.cert } })).toContain(untrusted);
    expect(cluster.servers[0]?.asked).toEqual([]);
  });

  test("is distinguished from files that cannot be used", async () => {
    await using server = await startSecure(await authority.issue());
    const { cert } = await authority.issue();
    for (const tls of [{ ca: "no PEM" }, { cert }, { cert: "x", key: "y" }])
      expect(await firstEvent(server.url, { tls })).toContain("discoveryFailed");
  });
});
