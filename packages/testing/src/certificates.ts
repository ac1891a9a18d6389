import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "./program.js";

/** A certificate and its key, as files and as PEM. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

/** The content of a certificate. */
export interface CertificateContent {
  /** @default "gw test" */
  readonly commonName?: string;
  /** Host names and IP addresses that it is valid for. @default localhost, 127.0.0.1 and ::1 */
  readonly names?: readonly string[];
  /** What it may be used for. @default both */
  readonly usage?: "server" | "client";
  /** @default an hour ago */
  readonly notBefore?: Date;
  /** @default in a day */
  readonly notAfter?: Date;
}

/** A CA for one test. `await using` removes its folder, including what it issued. */
export interface CertificateAuthority extends Certificate, AsyncDisposable {
  issue(content?: CertificateContent): Promise<Certificate>;
}

/** Creates a CA. Needs `openssl` on the PATH. */
export async function createAuthority(commonName = "gw test CA"): Promise<CertificateAuthority> {
  const folder = await mkdtemp(join(tmpdir(), "gw-ca-"));
  const config = join(folder, "openssl.cnf");
  const own = filesIn(folder, "ca");
  const dispose = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const key = (file: string): Promise<void> =>
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", file);
  const request = (keyFile: string, name: string, ...args: readonly string[]): Promise<void> =>
    openssl("req", "-config", config, "-new", "-key", keyFile, "-subj", `/CN=${name}`, ...args);
  try {
    await writeFile(config, configuration(folder));
    await writeFile(join(folder, "index.txt"), "");
    await key(own.keyFile);
    await request(
      own.keyFile,
      commonName,
      "-x509",
      "-days",
      "2",
      "-extensions",
      "authority",
      "-out",
      own.certFile,
    );
    let issued = 0;
    // `openssl ca` keeps a database, so certificates are issued one after the other.
    let last: Promise<unknown> = Promise.resolve();
    const issue = async (content: CertificateContent): Promise<Certificate> => {
      issued += 1;
      const files = filesIn(folder, `${issued}`);
      const [csr, extensions] = [join(folder, `${issued}.csr`), join(folder, `${issued}.ext`)];
      await writeFile(extensions, extensionsOf(content));
      await key(files.keyFile);
      await request(files.keyFile, content.commonName ?? "gw test", "-out", csr);
      const from = dateOf(content.notBefore ?? new Date(Date.now() - 3_600_000));
      const to = dateOf(content.notAfter ?? new Date(Date.now() + 86_400_000));
      const dates = ["-startdate", from, "-enddate", to];
      const paths = ["-config", config, "-extfile", extensions, "-in", csr, "-out", files.certFile];
      await openssl("ca", "-batch", "-notext", ...dates, ...paths);
      return read(files);
    };
    return {
      ...(await read(own)),
      issue(content = {}) {
        const next = last.then(() => issue(content));
        last = next.catch(() => {});
        return next;
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function openssl(...args: readonly string[]): Promise<void> {
  const { code, stderr } = await runProgram("openssl", args);
  if (code !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`);
}

function filesIn(folder: string, name: string): { readonly certFile: string; readonly keyFile: string } {
  return { certFile: join(folder, `${name}.crt`), keyFile: join(folder, `${name}.key`) };
}

async function read(files: { readonly certFile: string; readonly keyFile: string }): Promise<Certificate> {
  const [cert, key] = await Promise.all([files.certFile, files.keyFile].map(file => readFile(file, "utf8")));
  return { ...files, cert: cert ?? "", key: key ?? "" };
}

/** In the format of ASN.1's UTCTime: YYMMDDHHMMSSZ. */
function dateOf(date: Date): string {
  return `${date.toISOString().replace(/\.\d+/, "").replace(/[-:T]/g, "").slice(2)}`;
}

function extensionsOf({ names = ["localhost", "127.0.0.1", "::1"], usage }: CertificateContent): string {
  const usages = usage ? [`${usage}Auth`] : ["serverAuth", "clientAuth"];
  const alternatives = names.map(name => `${isIP(name) ? "IP" : "DNS"}:${name}`);
  return [
    "basicConstraints = critical, CA:FALSE",
    "keyUsage = critical, digitalSignature",
    `extendedKeyUsage = ${usages.join(", ")}`,
    ...(alternatives.length > 0 ? [`subjectAltName = ${alternatives.join(", ")}`] : []),
    "",
  ].join("\n");
}

function configuration(folder: string): string {
  return `
[ca]
default_ca = this
[this]
database = ${folder}/index.txt
new_certs_dir = ${folder}
certificate = ${folder}/ca.crt
private_key = ${folder}/ca.key
default_md = sha256
rand_serial = yes
unique_subject = no
policy = any
[any]
commonName = supplied
[req]
distinguished_name = none
prompt = no
[none]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
`;
}
