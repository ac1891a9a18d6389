import { type BigIntStats, lstatSync, unlinkSync } from "node:fs";
import { resolve } from "node:path";
import { GatewayError, type ListenTarget } from "@gw/interface";
import { errnoName, systemError } from "./binding.js";

/** Removes the file of a Unix socket that was created at `path` just now, unless another one is there by then. */
export function fileRemoval(path: string): () => void {
  const absolute = resolve(path);
  const created = fileAt(absolute);
  return () => {
    const found = fileAt(absolute);
    if (!created || found?.ino !== created.ino || found.dev !== created.dev) return;
    try {
      unlinkSync(absolute);
    } catch {
      // It stays, and the next one who listens there finds it stale.
    }
  };
}

function fileAt(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

/** What engine_listen_on says of a descriptor. */
const unusable: { readonly [errno: string]: string } = {
  EBADF: "it is not open",
  ENOTSOCK: "it is not a socket",
  EAFNOSUPPORT: "it is not a TCP or Unix socket",
  EPROTOTYPE: "it is not a stream socket",
  EINVAL: "it does not listen",
};

/** The error of an errno of `listen`, or `listenOn`. */
export function listenError(errno: number, target: ListenTarget, operation: string): GatewayError {
  const why = "fd" in target ? unusable[errnoName(errno)] : undefined;
  if (why) return new GatewayError("invalid-option", `${operation}: ${why}`);
  return GatewayError.from(systemError(errno, "listen"), operation);
}
