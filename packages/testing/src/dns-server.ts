import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Program, runProgram, startProgram } from "./program.js";

/** A real DNS server on loopback. `await using` ends its process and removes its folder. */
export interface DnsServer extends AsyncDisposable {
  /** Where it listens, over UDP and TCP. */
  readonly address: { readonly host: string; readonly port: number };
  /** Replaces all records. Resolves when it serves the new ones. */
  update(zone: string): Promise<void>;
  /** Ends the process with SIGKILL. Resolves when it has ended. */
  stop(): Promise<void>;
  /** Starts it again, on the same port and with the same records. Resolves when it serves. */
  start(): Promise<void>;
}

/** Options of {@link startDnsServer}. */
export interface DnsServerOptions {
  /** Its zone. @default "example.com" */
  readonly origin?: string;
  /** Records in the format of zone files, without SOA and NS, which it adds; relative to the zone. */
  readonly zone: string;
  /** The TTL of negative answers, in seconds. @default 60 */
  readonly negativeTtl?: number;
}

/**
 * Starts a server that is the authority for one zone, on 127.0.0.1 and a free port; resolves when it serves.
 * Needs `knotd` and `knotc` on the PATH.
 */
export async function startDnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const { origin = "example.com", negativeTtl = 60 } = options;
  const folder = await mkdtemp(join(tmpdir(), "gw-dns-"));
  const port = await freeDnsPort();
  const file = (name: string): string => join(folder, name);
  let serial = 0;
  let running: Program | undefined;

  const write = async (zone: string): Promise<void> => {
    serial += 1;
    const head = [
      `$ORIGIN ${origin}.`,
      "$TTL 300",
      `@ SOA ns hostmaster ${serial} 3600 600 86400 ${negativeTtl}`,
      "@ NS ns",
      "ns A 127.0.0.1",
    ];
    await writeFile(file("zone"), `${head.join("\n")}\n${zone}\n`);
  };
  const server: DnsServer = {
    address: { host: "127.0.0.1", port },
    async update(zone) {
      await write(zone);
      const reload = ["--config", file("conf"), "--blocking", "zone-reload", origin];
      const { code, stderr } = await runProgram("knotc", reload);
      if (code !== 0) throw new Error(`knotc zone-reload: ${stderr}`);
    },
    async stop() {
      await running?.[Symbol.asyncDispose]();
    },
    async start() {
      running = startProgram("knotd", ["--config", file("conf")], { cwd: folder });
      await running.printed(/server started/);
    },
    async [Symbol.asyncDispose]() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await writeFile(file("conf"), configuration({ folder, port, origin }));
    await write(options.zone);
    await server.start();
    return server;
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * A port of 127.0.0.1 on which nothing listened a moment ago, over UDP or TCP. It is below the ephemeral ports, so
 * that it stays free while a server is down.
 */
export async function freeDnsPort(): Promise<number> {
  for (;;) {
    const port = randomInt(12_000, 32_000);
    const tcp = createServer();
    const udp = createSocket("udp4");
    try {
      await once(tcp.listen(port, "127.0.0.1"), "listening");
      udp.bind(port, "127.0.0.1");
      await once(udp, "listening");
      return port;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EADDRINUSE")) throw error;
    } finally {
      udp.close();
      tcp.close();
    }
  }
}

/** One worker of each kind; the default is one for each core. */
function configuration(values: {
  readonly folder: string;
  readonly port: number;
  readonly origin: string;
}): string {
  return `
server:
    rundir: "${values.folder}"
    listen: 127.0.0.1@${values.port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stdout
    any: info
database:
    storage: "${values.folder}"
template:
  - id: default
    storage: "${values.folder}"
    journal-content: none
    zonefile-sync: -1
    zonefile-load: whole
zone:
  - domain: ${values.origin}
    file: zone
`;
}
