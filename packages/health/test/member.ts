import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type EtcdVersion, findEtcd, freePort, type Program, startProgram } from "@gw/testing";

/** A cluster of one, for flags that a test wants. `await using` ends it and removes its folder. */
export interface Member extends AsyncDisposable {
  readonly program: Program;
  /** Where it serves its clients. */
  readonly port: number;
  /** Where `--listen-metrics-urls` is, without TLS. */
  readonly metricsPort: number;
}

/**
 * @param flags without dashes; with `cert-file` among them clients speak TLS
 * @param version @default the `etcd` on the PATH
 */
export async function startMember(
  flags: { readonly [flag: string]: string } = {},
  version?: EtcdVersion,
): Promise<Member> {
  const etcd = version === undefined ? "etcd" : (findEtcd(version) ?? "");
  const folder = await mkdtemp(join(tmpdir(), "gw-member-"));
  const [port, metricsPort, peerPort] = [await freePort(), await freePort(), await freePort()];
  const url = `${flags["cert-file"] === undefined ? "http" : "https"}://127.0.0.1:${port}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const all = {
    name: "m",
    "data-dir": join(folder, "data"),
    "listen-client-urls": url,
    "advertise-client-urls": url,
    "listen-peer-urls": peerUrl,
    "initial-advertise-peer-urls": peerUrl,
    "initial-cluster": `m=${peerUrl}`,
    "listen-metrics-urls": `http://127.0.0.1:${metricsPort}`,
    ...flags,
  };
  const args = Object.entries(all).map(([flag, value]) => `--${flag}=${value}`);
  const program = startProgram(etcd, args, { cwd: folder });
  const end = async (): Promise<void> => {
    await program[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await program.printed(/ready to serve client requests|serving (?:insecure )?client (?:requests|traffic)/);
    return { program, port, metricsPort, [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}
