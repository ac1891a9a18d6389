import { once } from "node:events";
import { type AddressInfo, connect, type Socket } from "node:net";
import { createServer, type TLSSocket, type TlsOptions } from "node:tls";
import { GatewayError } from "@gw/interface";
import {
  type Certificate,
  type CertificateAuthority,
  createAuthority,
  manualClock,
  missing,
  startBackend,
  startBlackHole,
} from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkOnce, fault, secure } from "../test/certificates.js";
import { certificateCheck } from "./certificate-check.js";

const { signal } = new AbortController();

/** A TLS server of Node's. */
async function startTls(
  options: TlsOptions,
  onConnection: (socket: TLSSocket) => void = () => {},
  host = "127.0.0.1",
): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<TLSSocket>();
  const server = createServer(options, socket => {
    sockets.add(socket.on("error", () => {}));
    onConnection(socket);
  });
  server.on("tlsClientError", () => {}).listen(0, host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

describe.skipIf(missing("openssl"))("a probe", () => {
  let ca: CertificateAuthority;
  let good: Certificate;
  beforeAll(async () => {
    ca = await createAuthority();
    good = await ca.issue();
  });
  afterAll(() => ca[Symbol.asyncDispose]());

  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const)
    describe(`of a ${maxVersion} server that speaks no HTTP`, () => {
      const options = () => ({ maxVersion, cert: good.cert, key: good.key });

      test("passes when it sends anything", async () => {
        await using server = await startTls(options(), socket => socket.write("220 ready"));
        expect((await checkOnce(ca, secure(server.port))).protocol).toBe(maxVersion);
      });

      test("passes when it is silent until the time is up", async () => {
        const clock = manualClock();
        let shaken = (): void => {};
        const accepted = new Promise<void>(resolve => {
          shaken = resolve;
        });
        await using server = await startTls(options(), socket => socket.once("data", shaken));
        const probing = checkOnce(ca, secure(server.port), { clock, timeoutMs: 1_000 });
        await accepted;
        await clock.advance(1_000);
        expect((await probing).protocol).toBe(maxVersion);
        expect(clock.pending).toBe(0);
      });

      test("is inconclusive when it closes the connection", async () => {
        await using server = await startTls(options(), socket => socket.end());
        expect(await fault(checkOnce(ca, secure(server.port)))).toMatch(
          /^\[reset\] .*: the server closed the connection after the handshake; it may have rejected the client certif/,
        );
      });

      test("detects that it requires a client certificate", async () => {
        const demands = { ...options(), requestCert: true, ca: ca.cert };
        await using server = await startTls(demands, socket => socket.write("220 ready"));
        const { cert, key } = good;
        expect(await fault(checkOnce(ca, secure(server.port)))).toMatch(/^\[certificate-refused\] /);
        await checkOnce(ca, secure(server.port), { cert, key });
      });
    });

  test("does not pass a server that has nothing newer than TLS 1.1", async () => {
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" } as const;
    await using server = await startTls({ ...good, ...old });
    expect(await fault(checkOnce(ca, secure(server.port)))).toMatch(
      /^\[untrusted\] .*: no TLS handshake is possible \(.*protocol version\)$/,
    );
  });

  test("checks the certificate of an IPv6 address, and sends the name that it checks", async () => {
    const names: (string | false | null)[] = [];
    await using server = await startTls(
      { ...good },
      socket => {
        names.push(socket.servername);
        socket.end("ready");
      },
      "::1",
    );
    await checkOnce(ca, secure(server.port, "::1"));
    await checkOnce(ca, secure(server.port, "::1"), { serverNames: ["10.0.0.1", "example.com."] });
    const dial = async (): Promise<Socket> => connect(server.port, "::1");
    await checkOnce(ca, secure(server.port, "localhost."), { dial });
    expect(names).toEqual([false, "example.com", "localhost"]);
  });

  test.each([
    ["HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n"],
    ["SMTP", "220 ready\r\n"],
    ["zeros", "\0".repeat(20)],
  ])("does not pass a server that answers in %s", async (_, greeting) => {
    await using server = await startBackend(socket => socket.end(greeting));
    expect(await fault(checkOnce(ca, secure(server.port)))).toMatch(
      /^\[untrusted\] .*: the server does not speak TLS \(/,
    );
  });

  test("is inconclusive for a server that only closes connections", async () => {
    await using server = await startBackend(socket => socket.once("data", () => socket.resetAndDestroy()));
    expect(await fault(checkOnce(ca, secure(server.port)))).toMatch(/^\[reset\] /);
    expect(server.accepted).toBe(2);
  });

  test("is inconclusive for a server that does not answer in time", async () => {
    await using server = await startBackend();
    const clock = manualClock();
    const probing = fault(checkOnce(ca, secure(server.port), { clock }));
    await once(await server.next(), "readable");
    await clock.advance(5_000);
    expect(await probing).toBe(`[timed-out] TLS with 127.0.0.1:${server.port}: no answer within 5000 ms`);
    expect(clock.pending).toBe(0);
  });

  test("is inconclusive for a server that does not accept connections in time", async () => {
    await using hole = await startBlackHole();
    expect(await fault(checkOnce(ca, secure(hole.port), { timeoutMs: 20 }))).toMatch(
      /^\[timed-out\] .* 20 ms$/,
    );
  });

  test("ends at once when it is aborted, and closes what was dialled for it later", async () => {
    await using server = await startBackend();
    const controller = new AbortController();
    const probing = certificateCheck({ ca: ca.cert })(secure(server.port), controller.signal);
    const accepted = await server.next();
    controller.abort();
    expect(await fault(probing)).toMatch(/^\[aborted\] /);
    accepted.resume();
    await once(accepted, "end");

    let dialled = (_: Socket): void => {};
    const dialling = certificateCheck({
      ca: ca.cert,
      dial: () =>
        new Promise(resolve => {
          dialled = resolve;
        }),
    })(secure(server.port), AbortSignal.abort());
    expect(await fault(dialling)).toMatch(/^\[aborted\] /);
    const late = connect(server.port, "127.0.0.1");
    dialled(late);
    await once(late, "close");
  });

  test("keeps the error of a dial", async () => {
    const refusal = new GatewayError("self-loop", "that is this gateway itself");
    const dial = () => Promise.reject(refusal);
    await expect(certificateCheck({ ca: ca.cert, dial })(secure(1), signal)).rejects.toBe(refusal);
  });

  test("leaves no socket open", async () => {
    await using server = await startBackend(socket => socket.once("data", () => socket.resetAndDestroy()));
    for (let count = 0; count < 20; count++) await fault(checkOnce(ca, secure(server.port)));
    expect(server.sockets.size).toBe(0);
  });
});
