import { describe, expect, test, vi } from "vitest";
import { GatewayError, type GatewayErrorCode, messageOf } from "./error.js";

function errno(code: unknown, message = "syscall failed"): Error {
  return Object.assign(new Error(message), { code });
}

describe("GatewayError.from", () => {
  test.each<[errno: string, code: GatewayErrorCode, says: string]>([
    ["ECONNREFUSED", "refused", "connection refused"],
    ["EHOSTUNREACH", "unreachable", "network or host unreachable"],
    ["ENETUNREACH", "unreachable", "network or host unreachable"],
    ["EHOSTDOWN", "unreachable", "network or host unreachable"],
    ["ENETDOWN", "unreachable", "network or host unreachable"],
    ["ETIMEDOUT", "timed-out", "timed out"],
    ["ECONNRESET", "reset", "connection reset"],
    ["ECONNABORTED", "reset", "connection reset"],
    ["EPIPE", "reset", "connection reset"],
    ["ENOTFOUND", "name-not-resolved", "the name cannot be resolved"],
    ["EAI_AGAIN", "name-not-resolved", "the name cannot be resolved"],
    ["EAI_FAIL", "name-not-resolved", "the name cannot be resolved"],
    ["EAI_NODATA", "name-not-resolved", "the name cannot be resolved"],
    ["EAI_NONAME", "name-not-resolved", "the name cannot be resolved"],
    ["EMFILE", "out-of-resources", "out of file descriptors or memory"],
    ["ENFILE", "out-of-resources", "out of file descriptors or memory"],
    ["ENOBUFS", "out-of-resources", "out of file descriptors or memory"],
    ["ENOMEM", "out-of-resources", "out of file descriptors or memory"],
    ["EADDRNOTAVAIL", "address-not-available", "no such local address, or no free port"],
    ["EADDRINUSE", "address-in-use", "address already in use"],
    ["EACCES", "not-permitted", "permission denied"],
    ["EPERM", "not-permitted", "permission denied"],
  ])("maps %s to %s", (name, code, says) => {
    const cause = errno(name);
    const error = GatewayError.from(cause, "dial 10.0.0.1:2379");
    expect(error.code).toBe(code);
    expect(error.detail).toBe(`dial 10.0.0.1:2379: ${says} (${name})`);
    expect(error.message).toBe(`[${code}] ${error.detail}`);
    expect(error.cause).toBe(cause);
  });

  test("keeps the message of an unknown errno", () => {
    const error = GatewayError.from(errno("EPROTO", "wrong protocol"), "dial a:1");
    expect(error).toMatchObject({ code: "unknown", detail: "dial a:1: wrong protocol (EPROTO)" });
  });

  test.each(["constructor", "toString", "__proto__"])("knows no errno %s", name => {
    expect(GatewayError.from(errno(name), "dial a:1").code).toBe("unknown");
  });

  test("maps the errors of several addresses by their errno", () => {
    const cause = Object.assign(new AggregateError([errno("ECONNREFUSED")]), { code: "ECONNREFUSED" });
    expect(GatewayError.from(cause, "dial a:1").detail).toBe("dial a:1: connection refused (ECONNREFUSED)");
  });

  test("returns a GatewayError unchanged", () => {
    const error = new GatewayError("timed-out", "dial a:1: no answer");
    expect(GatewayError.from(error, "dial again")).toBe(error);
  });

  test.each([
    ["an error without errno", new Error("boom"), "boom"],
    ["an error whose code is a number", errno(7, "boom"), "boom"],
    ["an error without message", new TypeError(), "TypeError"],
    [
      "a message of several lines",
      new Error("first\n  second\r\nthird\u2028fourth"),
      "first second third fourth",
    ],
    ["text", "boom", "boom"],
    ["undefined", undefined, "undefined"],
    ["a symbol", Symbol("boom"), "Symbol(boom)"],
    ["an object without prototype", Object.create(null), "[Object: null prototype] {}"],
  ])("takes %s in one line", (_, thrown, says) => {
    expect(GatewayError.from(thrown, "probe a:1")).toMatchObject({
      code: "unknown",
      detail: `probe a:1: ${says}`,
      cause: thrown,
    });
    expect(messageOf(thrown)).toBe(says);
  });
});

test("only errors of this machine and aborted operations are local", () => {
  const all: { readonly [code in GatewayErrorCode]: boolean } = {
    "invalid-endpoint": false,
    "invalid-address": false,
    "invalid-option": false,
    "invalid-selector": false,
    "self-loop": false,
    refused: false,
    unreachable: false,
    "timed-out": false,
    reset: false,
    "name-not-resolved": false,
    untrusted: false,
    "certificate-refused": false,
    "out-of-resources": true,
    "address-not-available": true,
    "address-in-use": false,
    "not-permitted": false,
    "selector-failed": false,
    aborted: true,
    unavailable: false,
    unhealthy: false,
    "wrong-cluster": false,
    unknown: false,
  };
  for (const [code, isLocal] of Object.entries(all))
    expect([code, new GatewayError(code as GatewayErrorCode, "").isLocal]).toEqual([code, isLocal]);
});

test("a GatewayError is an Error with its own name", () => {
  const error = new GatewayError("refused", "dial a:1: connection refused");
  expect(error).toBeInstanceOf(Error);
  expect(String(error)).toBe("GatewayError: [refused] dial a:1: connection refused");
});

test("errors of another copy of this package are known, and what only looks like one is not", async () => {
  vi.resetModules();
  const other = await import("./error.js");
  expect(other.GatewayError).not.toBe(GatewayError);
  const error = new other.GatewayError("refused", "connection refused");
  expect(error).toBeInstanceOf(GatewayError);
  expect(new GatewayError("refused", "connection refused")).toBeInstanceOf(other.GatewayError);
  expect(GatewayError.from(error, "dial")).toBe(error);
  for (const value of [{ ...error }, new Error(error.message), null, undefined, "GatewayError", 1])
    expect(value).not.toBeInstanceOf(GatewayError);
});
