import {
  type Certificate,
  type CertificateAuthority,
  createAuthority,
  missing,
  startBackend,
} from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Member, startMember } from "../../test/member.js";
import { allClosed, at, formatVerdict, probeOnce } from "../../test/probing.js";
import { autoProbe } from "./auto.js";
import { etcdProbe } from "./etcd.js";
import { httpProbe } from "./http.js";
import { tcpProbe } from "./tcp.js";
import { tlsProbe } from "./tls.js";

const regular = { depth: "regular" } as const;

describe.skipIf(missing("openssl", "etcd"))("an etcd with TLS", () => {
  let ca: CertificateAuthority;
  let other: CertificateAuthority;
  let server: Certificate;
  let client: Certificate;
  let open: Member;
  let guarded: Member;
  beforeAll(async () => {
    [ca, other] = await Promise.all([createAuthority(), createAuthority("someone else")]);
    [server, client] = [await ca.issue(), await ca.issue({ usage: "client" })];
    const files = { "cert-file": server.certFile, "key-file": server.keyFile };
    [open, guarded] = await Promise.all([
      startMember(files),
      startMember({ ...files, "trusted-ca-file": ca.certFile, "client-cert-auth": "true" }),
    ]);
  });
  afterAll(() => Promise.all([ca, other, open, guarded].map(one => one?.[Symbol.asyncDispose]())));

  const probes = { etcdProbe, autoProbe };

  for (const [name, make] of Object.entries(probes))
    describe(`by the ${name}`, () => {
      test.each([undefined, true])("is healthy, whether or not its endpoint says so: %s", async secure => {
        for (const trust of [{}, { ca: ca.cert }]) {
          const probe = make(trust);
          for (let count = 0; count < 3; count++) {
            expect(formatVerdict(await probeOnce(probe, at(open.port, secure)))).toBe("etcd /health");
            expect(formatVerdict(await probeOnce(probe, at(open.port, secure), regular))).toBe("etcd status");
          }
          probe.close();
        }
      });

      test.each([undefined, true])(
        "that refuses this side's certificate has answered, and is noted: %s",
        async secure => {
          for (const { cert, key } of [
            {},
            await other.issue({ usage: "client" }),
          ] as Partial<Certificate>[]) {
            const probe = make({ ca: ca.cert, cert, key });
            for (const request of [regular, {}, regular])
              expect(formatVerdict(await probeOnce(probe, at(guarded.port, secure), request))).toMatch(
                /^tls: the server requires a client certificate, or another one \(.*\); only its TLS handshake is checked, 4 times an hour;/,
              );
            probe.close();
          }
        },
      );

      test("is asked with the right certificate, or where it requires none", async () => {
        const probe = make({ ca: ca.cert, cert: client.cert, key: client.key });
        expect(formatVerdict(await probeOnce(probe, at(guarded.port, true), regular))).toBe("etcd status");
        expect(formatVerdict(await probeOnce(probe, at(guarded.port, true)))).toBe("etcd /health");
        probe.close();
        const elsewhere = make({ port: guarded.metricsPort, ca: ca.cert });
        expect(formatVerdict(await probeOnce(elsewhere, at(guarded.port, true)))).toBe("etcd /health");
        elsewhere.close();
      });

      test("whose CA is not the trusted one is unhealthy, as others may be", async () => {
        const probe = make({ ca: other.cert });
        for (const [secure, request] of [[true], [undefined], [true, regular], [undefined, regular]] as const)
          expect(formatVerdict(await probeOnce(probe, at(open.port, secure), request))).toMatch(
            /^(tcp|etcd|tls) cluster \[untrusted\] the CA that issued its certificate, .* is not trusted/,
          );
        probe.close();
      });

      test("that does not speak TLS where it should is unhealthy, as others may be", async () => {
        const probe = make();
        expect(formatVerdict(await probeOnce(probe, at(open.metricsPort, true)))).toMatch(
          / (cluster|endpoint) \[(untrusted|reset)\] /,
        );
        probe.close();
      });
    });

  test("that hangs does not answer, though its port is open", async () => {
    await using member = await startMember({ "cert-file": server.certFile, "key-file": server.keyFile });
    const [tls, etcd] = [tlsProbe({ timeoutMs: 1_500 }), etcdProbe({ timeoutMs: 1_500 })];
    expect(formatVerdict(await probeOnce(etcd, at(member.port, true)))).toBe("etcd /health");
    await member.program.pause();
    expect(formatVerdict(await probeOnce(tls, at(member.port, true)))).toBe(
      "tls endpoint [timed-out] no answer within 1500 ms",
    );
    expect(formatVerdict(await probeOnce(etcd, at(member.port, true)))).toBe(
      "etcd /health endpoint [timed-out] no answer within 1500 ms",
    );
    etcd.close();
  });

  test("is healthy by HTTP, whose note says when it refuses a certificate", async () => {
    const probe = httpProbe({ ca: ca.cert });
    expect(formatVerdict(await probeOnce(probe, at(open.port)))).toBe("http");
    expect(formatVerdict(await probeOnce(probe, at(guarded.port, true)))).toMatch(
      /^tls: the server requires/,
    );
    probe.close();
  });

  test("is healthy by a handshake, with or without the right certificates", async () => {
    expect(formatVerdict(await probeOnce(tlsProbe(), at(open.port)))).toBe("tls");
    expect(formatVerdict(await probeOnce(tlsProbe({ ca: ca.cert }), at(open.port)))).toBe("tls");
    expect(formatVerdict(await probeOnce(tlsProbe(), at(guarded.port)))).toMatch(/^tls/);
    expect(formatVerdict(await probeOnce(tlsProbe({ ca: other.cert }), at(open.port)))).toMatch(
      /^tls cluster \[untrusted\] /,
    );
  });

  test("has no error of a handshake in its log", async () => {
    await using member = await startMember({ "cert-file": server.certFile, "key-file": server.keyFile });
    for (let count = 0; count < 5; count++)
      expect(formatVerdict(await probeOnce(tlsProbe(), at(member.port)))).toBe("tls");
    // What is asked in plain text leaves one, and stands behind all of those.
    await probeOnce(tcpProbe(), at(member.port));
    await member.program.printed(/rejected connection/);
    expect(member.program.output.match(/rejected connection/g)).toHaveLength(1);
  });

  test("that refuses this side's certificate says so after the handshake too, and is checked rarely", async () => {
    const probes = [tlsProbe(), httpProbe(), etcdProbe(), autoProbe()];
    for (const probe of probes)
      expect(await probeOnce(probe, at(guarded.port, true))).toMatchObject({
        check: "tls",
        uninformative: true,
      });
    const untrusting = [tlsProbe, httpProbe, etcdProbe, autoProbe].map(make => make({ ca: other.cert }));
    for (const probe of untrusting)
      expect(await probeOnce(probe, at(open.port, true))).toMatchObject({
        error: { code: "untrusted" },
        uninformative: true,
      });
  });

  test("leaves no connection behind", async () => {
    await using plain = await startBackend(socket => socket.end("no"));
    await probeOnce(tlsProbe(), at(plain.port));
    await allClosed(plain);
  });
});
