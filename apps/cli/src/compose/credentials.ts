import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs";
import type { MembersAuth } from "@gw/discovery";
import { GatewayError, quote } from "@gw/interface";
import type { DiscoveryFlags } from "../flags/discovery.js";

/** A warning about credentials: the name of the event, and why. */
type Warn = (event: "credentials exposed" | "credentials invalid", why: string) => void;

/** Longer secrets are rejected, in bytes: servers do not accept longer headers. */
const maxSecret = 8 * 1024;

/**
 * The credentials for etcd that the flags give; undefined without such flags. Files are read here and before each request
 * for the member list, so that a new password is used at once.
 *
 * @param warn called when every user can read a file, and when it cannot be used any more; then what was read before is
 *   used
 * @throws {GatewayError} `invalid-option` if a file or a value cannot be used; the message has no part of a secret
 */
export function loadCredentials(
  { etcdUser, etcdToken, etcdUserFile, etcdTokenFile }: DiscoveryFlags,
  warn: Warn,
): MembersAuth | (() => MembersAuth) | undefined {
  if (etcdToken !== undefined) return { token: etcdToken };
  if (etcdUser !== undefined) return userIn(etcdUser, "--etcd-user");
  if (etcdUserFile !== undefined) return following("--etcd-user-file", etcdUserFile, userIn, warn);
  if (etcdTokenFile !== undefined) return following("--etcd-token-file", etcdTokenFile, tokenIn, warn);
  return undefined;
}

/** Reads the file now, and again with each call. */
function following(
  flag: string,
  path: string,
  parse: (secret: string, about: string) => MembersAuth,
  warn: Warn,
): () => MembersAuth {
  const about = `${flag} ${quote(path)}`;
  const read = (): MembersAuth => parse(readSecret(path, about), about);
  let current = read();
  const mode = modeOf(path);
  if (mode !== undefined && mode & 0o004)
    warn(
      "credentials exposed",
      `${about} can be read by every user of this machine (mode ${(mode & 0o777).toString(8)})`,
    );
  let reported: string | undefined;
  return () => {
    try {
      current = read();
      reported = undefined;
    } catch (error) {
      const { detail } = GatewayError.from(error, about);
      if (detail !== reported) warn("credentials invalid", `${detail}; what was read before is used`);
      reported = detail;
    }
    return current;
  };
}

function userIn(secret: string, about: string): MembersAuth {
  const colon = secret.indexOf(":");
  if (colon < 1) throw invalid(`${about} is not of the form name:password`);
  return { user: secret.slice(0, colon), password: secret.slice(colon + 1) };
}

function tokenIn(secret: string, about: string): MembersAuth {
  if (/^[!-~]+$/.test(secret)) return { token: secret };
  throw invalid(`${about} has no token; a token is visible ASCII without blanks`);
}

/** The one line of a file, without the line end. */
function readSecret(path: string, about: string): string {
  const bytes = readBytes(path, about);
  if (bytes.length > maxSecret) throw invalid(`${about} has more than ${maxSecret} bytes`);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw invalid(`${about} is not text in UTF-8`);
  }
  const secret = text.replace(/[\r\n]+$/, "");
  if (secret === "") throw invalid(`${about} is empty`);
  if (/[\r\n]/.test(secret)) throw invalid(`${about} has more than one line`);
  if (/\p{Cc}/u.test(secret)) throw invalid(`${about} has control characters in it`);
  return secret;
}

/** The file, or as much of it as shows that it is too long. */
function readBytes(path: string, about: string): Uint8Array {
  try {
    // Opening a pipe without a writer would block.
    const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const stats = fstatSync(fd, { bigint: true });
      if (!stats.isFile())
        throw invalid(`${about} is ${stats.isDirectory() ? "a directory" : "not a regular file"}`);
      const bytes = Buffer.alloc(maxSecret + 1);
      let length = 0;
      for (let got = -1; got !== 0 && length < bytes.length; length += got)
        got = readSync(fd, bytes, length, bytes.length - length, null);
      return bytes.subarray(0, length);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    throw invalid(GatewayError.from(cause, `${about} cannot be read`).detail, cause);
  }
}

/** The permissions of a file; undefined where the system has no such. */
function modeOf(path: string): number | undefined {
  if (process.platform === "win32") return undefined;
  return statSync(path, { throwIfNoEntry: false })?.mode;
}

function invalid(detail: string, cause?: unknown): GatewayError {
  return new GatewayError("invalid-option", detail, { cause });
}
