import { type Certificate, type CertificateAuthority, createAuthority, missing } from "@gw/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CertificateCheckOptions, certificateCheck } from "./certificate-check.js";

describe.skipIf(missing("openssl"))("a probe refuses at once", () => {
  let ca: CertificateAuthority;
  let one: Certificate;
  let two: Certificate;
  beforeAll(async () => {
    ca = await createAuthority();
    [one, two] = await Promise.all([ca.issue(), ca.issue()]);
  });
  afterAll(() => ca[Symbol.asyncDispose]());

  test.each<[what: string, options: () => CertificateCheckOptions, says: string | RegExp]>([
    ["an empty CA file", () => ({ ca: "" }), "the trusted CAs: there is no PEM certificate in it"],
    ["a key as CA", () => ({ ca: one.key }), "the trusted CAs: there is no PEM certificate in it"],
    [
      "a damaged CA",
      () => ({ ca: `${ca.cert}${ca.cert.replace("\nMII", "\nMI!I")}` }),
      /^the trusted CAs: certificate 2 cannot be read: .+/,
    ],
    [
      "a CA file that was cut off",
      () => ({ ca: `${ca.cert}${ca.cert.slice(0, 200)}` }),
      /^the trusted CAs: certificate 2 cannot be read: .+/,
    ],
    ["a certificate without key", () => ({ cert: one.cert }), "the client certificate has no key"],
    ["a key without certificate", () => ({ key: one.key }), "the client's key has no certificate"],
    [
      "the key of another certificate",
      () => ({ cert: one.cert, key: two.key }),
      /^the client certificate and its key cannot be used: .*key values mismatch/,
    ],
    [
      "a key that is none",
      () => ({ cert: one.cert, key: "no key" }),
      /^the client certificate and its key cannot be used: .+/,
    ],
    ["no time at all", () => ({ timeoutMs: 0 }), "timeoutMs 0 is not positive"],
  ])("%s", (_, options, says) => {
    const detail = typeof says === "string" ? says : expect.stringMatching(says);
    expect(() => certificateCheck(options())).toThrow(
      expect.objectContaining({ code: "invalid-option", detail }),
    );
  });
});
