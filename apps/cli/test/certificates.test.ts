// Certificate files that change while the gateway runs.

import { once } from "node:events";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type TLSSocket } from "node:tls";
import {
  type Certificate,
  type CertificateAuthority,
  createAuthority,
  type LogLine,
  missing,
  startGw,
} from "@gw/testing";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

describe.skipIf(missing("openssl"))("certificate files are followed", () => {
  let one: CertificateAuthority;
  let two: CertificateAuthority;
  let serverOfTwo: Certificate;
  let [first, second]: Certificate[] = [];
  let folder = "";

  beforeAll(async () => {
    [one, two] = await Promise.all([createAuthority("one"), createAuthority("two")]);
    serverOfTwo = await two.issue();
    first = await two.issue({ usage: "client", commonName: "first" });
    second = await two.issue({ usage: "client", commonName: "second" });
  });
  afterAll(async () => {
    await one?.[Symbol.asyncDispose]();
    await two?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "gw-certificates-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** As Kubernetes does it: the folder that a link leads to is another one, all at once. */
  async function publish(version: string, files: { readonly [name: string]: string }): Promise<void> {
    await mkdir(join(folder, version));
    for (const [name, text] of Object.entries(files)) {
      await writeFile(join(folder, version, name), text);
      await symlink(`..data/${name}`, join(folder, name)).catch(() => {});
    }
    await symlink(version, join(folder, "..data_tmp"));
    await rename(join(folder, "..data_tmp"), join(folder, "..data"));
  }

  /** Health checks may time out, since the server answers nothing; but it must never be distrusted. */
  const distrusts = ({ msg, reason }: LogLine): boolean =>
    /endpoint (?:rejected|down|still down)/.test(msg) && /certificate|\bCA\b|trusted/.test(String(reason));

  /** A server that records the subjects of client certificates. */
  async function startServer(seen: (name: string) => void) {
    const server = createServer(
      {
        cert: serverOfTwo.cert,
        key: serverOfTwo.key,
        ca: two.cert,
        requestCert: true,
        rejectUnauthorized: false,
      },
      (socket: TLSSocket) => {
        socket.on("error", () => {});
        const { subject } = socket.getPeerCertificate();
        seen(String(subject?.CN ?? ""));
      },
    );
    server.on("tlsClientError", () => {});
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return { port: (server.address() as AddressInfo).port, close: () => server.close() };
  }

  test("a CA, a certificate and its key that are replaced by a link are used by checks of health and of trust", async () => {
    const names: string[] = [];
    const waiting: (() => void)[] = [];
    const server = await startServer(name => {
      names.push(name);
      for (const wake of waiting.splice(0)) wake();
    });
    const seen = async (name: string): Promise<void> => {
      while (!names.includes(name)) await new Promise<void>(resolve => waiting.push(resolve));
    };
    try {
      await publish("..1", { ca: `${one.cert}${two.cert}`, cert: first?.cert ?? "", key: first?.key ?? "" });
      await using gw = await startGw([
        `--endpoints=https://127.0.0.1:${server.port}`,
        `--trusted-ca-file=${join(folder, "ca")}`,
        `--cert-file=${join(folder, "cert")}`,
        `--key-file=${join(folder, "key")}`,
        "--health-check=tls",
        "--health-interval=200ms",
      ]);
      await seen("first");
      await publish("..2", { ca: two.cert, cert: second?.cert ?? "", key: second?.key ?? "" });
      await gw.logged(/certificates reloaded/);
      names.length = 0;
      await seen("second");
      expect(names).not.toContain("first");
      expect(
        gw.log.filter(line => distrusts(line) || /failed|invalid|unreachable|unresolved/.test(line.msg)),
      ).toEqual([]);
    } finally {
      server.close();
    }
  });

  test("files that cannot be used leave the old ones in use, are reported once, and are used when they are valid", async () => {
    const server = await startServer(() => {});
    const [ca, cert, key] = ["ca", "cert", "key"].map(name => join(folder, name));
    try {
      await writeFile(ca ?? "", two.cert);
      await writeFile(cert ?? "", first?.cert ?? "");
      await writeFile(key ?? "", first?.key ?? "");
      await using gw = await startGw([
        `--endpoints=https://127.0.0.1:${server.port}`,
        `--trusted-ca-file=${ca}`,
        `--cert-file=${cert}`,
        `--key-file=${key}`,
      ]);
      // For a moment the key is another certificate's, and the CA is gone.
      await writeFile(cert ?? "", second?.cert ?? "");
      await rm(ca ?? "");
      expect(await gw.logged(/certificates invalid/)).toMatchObject({ level: "warn" });
      await writeFile(ca ?? "", two.cert);
      await writeFile(key ?? "", second?.key ?? "");
      await gw.logged(/certificates reloaded/);
      expect(gw.log.filter(({ msg }) => msg === "certificates invalid")).toHaveLength(1);
      expect(gw.log.filter(distrusts)).toEqual([]);
    } finally {
      server.close();
    }
  });
});
