import {
  type Certificate,
  type CertificateAuthority,
  createAuthority,
  missing,
  startEtcd,
} from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkOnce, day, endpointOf, fault } from "../test/certificates.js";

describe.skipIf(missing("openssl", "etcd"))("a probe of an etcd", () => {
  let ca: CertificateAuthority;
  let other: CertificateAuthority;
  let good: Certificate;
  beforeAll(async () => {
    [ca, other] = await Promise.all([createAuthority(), createAuthority("someone else\nCA")]);
    good = await ca.issue();
  });
  afterAll(() => Promise.all([ca, other].map(one => one[Symbol.asyncDispose]())));

  test("whose certificate is good passes, and returns its certificate", async () => {
    await using etcd = await startEtcd(1, { tls: good });
    const verdict = await checkOnce(ca, endpointOf(etcd));
    expect(verdict).toMatchObject({
      protocol: "TLSv1.3",
      subject: "CN=gw test",
      issuer: "CN=gw test CA",
      names: ["DNS:localhost", "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1"],
    });
    expect(verdict.validFrom.getTime()).toBeLessThan(Date.now());
    expect(verdict.validTo.getTime()).toBeGreaterThan(Date.now());
    await checkOnce(ca, endpointOf(etcd, "localhost"));
    await checkOnce(ca, endpointOf(etcd, "::ffff:127.0.0.1"));
  });

  test("whose certificate itself is trusted passes, as with Go", async () => {
    await using etcd = await startEtcd(1, { tls: good });
    await checkOnce(other, endpointOf(etcd), { ca: `${other.cert}\nin words\n${good.cert}` });
    await checkOnce(other, endpointOf(etcd), { ca: Buffer.from(good.cert) });
  });

  test("whose CA is not trusted does not pass", async () => {
    await using etcd = await startEtcd(1, { tls: await other.issue() });
    const endpoint = endpointOf(etcd);
    const message =
      /^\[untrusted\] TLS with 127\.0\.0\.1:\d+: the CA that issued its certificate, "CN=someone else.*CA", is not trusted \(UNABLE_TO_\w+\)$/;
    expect(await fault(checkOnce(ca, endpoint))).toMatch(message);
    expect(await fault(checkOnce(ca, endpoint, { ca: undefined }))).toMatch(message);
  });

  test("whose certificate is for another host does not pass", async () => {
    await using etcd = await startEtcd(1, {
      tls: await ca.issue({ names: ["example.com", "*.example.com"] }),
    });
    const endpoint = endpointOf(etcd);
    const serverNames = (...names: readonly string[]) => checkOnce(ca, endpoint, { serverNames: names });
    expect(await fault(serverNames())).toBe(
      `[untrusted] TLS with 127.0.0.1:${endpoint.port}: its certificate is not for "127.0.0.1", but for "DNS:example.com, DNS:*.example.com"`,
    );
    expect(await fault(checkOnce(ca, endpointOf(etcd, "localhost")))).toMatch(/not for "localhost", but/);
    expect(await fault(serverNames("example.org", "a.b.example.com"))).toMatch(
      /not for "127\.0\.0\.1" or "example\.org" or "a\.b\.example\.com", but/,
    );
    for (const name of ["example.com", "Example.COM.", "etcd-0.example.com"])
      await serverNames("no.org", name);
  });

  test("whose certificate has its name only as common name does not pass, as with Go", async () => {
    await using etcd = await startEtcd(1, { tls: await ca.issue({ names: [], commonName: "localhost" }) });
    expect(await fault(checkOnce(ca, endpointOf(etcd, "localhost")))).toMatch(
      /has no names.*not "localhost"$/,
    );
  });

  test("whose certificate has expired does not pass", async () => {
    const [notBefore, notAfter] = [-2, -1].map(days => new Date(Date.now() + days * day));
    const expired = await ca.issue({ notBefore: notBefore as Date, notAfter: notAfter as Date });
    await using etcd = await startEtcd(1, { tls: expired });
    const ended = (notAfter as Date).toISOString().slice(0, 19);
    expect(await fault(checkOnce(ca, endpointOf(etcd)))).toMatch(
      `: its certificate has expired, on ${ended}Z (CERT_HAS_EXPIRED)`,
    );
  });

  test("whose certificate is not valid yet does not pass", async () => {
    const early = await ca.issue({
      notBefore: new Date(Date.now() + day),
      notAfter: new Date(Date.now() + 2 * day),
    });
    await using etcd = await startEtcd(1, { tls: early });
    expect(await fault(checkOnce(ca, endpointOf(etcd)))).toMatch(/^\[untrusted\] .* is not valid before 2/);
  });

  test("whose certificate is one for clients does not pass", async () => {
    await using etcd = await startEtcd(1, { tls: await ca.issue({ usage: "client" }) });
    expect(await fault(checkOnce(ca, endpointOf(etcd)))).toMatch(/not made for servers \(INVALID_PURPOSE\)$/);
  });

  test("that speaks plain text does not pass", async () => {
    await using etcd = await startEtcd(1);
    const endpoint = endpointOf(etcd);
    for (let count = 0; count < 20; count++)
      expect(await fault(checkOnce(ca, endpoint))).toBe(
        `[untrusted] TLS with 127.0.0.1:${endpoint.port}: the server speaks plain text, not TLS`,
      );
  });

  test("that demands a client certificate passes with the right one only", async () => {
    await using etcd = await startEtcd(1, { tls: { ...good, clientCaFile: ca.certFile } });
    const [right, wrong] = [await ca.issue({ usage: "client" }), await other.issue({ usage: "client" })];
    const endpoint = endpointOf(etcd);
    // The refusal races with this side's handshake, so that once is not enough to see that it is never missed.
    for (let count = 0; count < 50; count++)
      for (const client of [{}, { cert: wrong.cert, key: wrong.key }])
        expect(await fault(checkOnce(ca, endpoint, client))).toMatch(
          /^\[certificate-refused\] .*: the server requires a client certificate, or another one \(.*alert.*\)$/,
        );
    await checkOnce(ca, endpoint, { cert: right.cert, key: right.key });
  });

  test("that is down is inconclusive", async () => {
    await using etcd = await startEtcd(1, { tls: good });
    const endpoint = endpointOf(etcd);
    await etcd.members[0]?.crash();
    expect(await fault(checkOnce(ca, endpoint))).toMatch(/^\[refused\] /);
  });
});
