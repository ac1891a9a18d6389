import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isServiceLink, readVariable, unknownVariables } from "./environment.js";
import { startVariables } from "./table.js";

const known = startVariables();

/** What Kubernetes sets for a Service of this name (kubelet's envvars.FromServices). */
function serviceLinks(service: string, host = "10.0.0.1", port = 80): Record<string, string> {
  const name = service.toUpperCase().replaceAll("-", "_");
  const url = `tcp://${host}:${port}`;
  return {
    [`${name}_SERVICE_HOST`]: host,
    [`${name}_SERVICE_PORT`]: String(port),
    [`${name}_SERVICE_PORT_CLIENT`]: String(port),
    [`${name}_PORT`]: url,
    [`${name}_PORT_${port}_TCP`]: url,
    [`${name}_PORT_${port}_TCP_PROTO`]: "tcp",
    [`${name}_PORT_${port}_TCP_PORT`]: String(port),
    [`${name}_PORT_${port}_TCP_ADDR`]: host,
  };
}

describe("variables of service links", () => {
  test.each(["gw", "gw-health", "gw-dns-server", "gw-retry-delay", "gw-service", "gw-9"])(
    "for a Service named %s set nothing, and are no mistake",
    service => {
      const links = { ...serviceLinks(service), ...serviceLinks(service, "fd00::1", 53) };
      expect(unknownVariables(links, known)).toBeUndefined();
      for (const name of known) expect(readVariable(name, links)).toBeUndefined();
    },
  );

  test("are distinguished from those of users", () => {
    expect(readVariable("GW_HEALTH_PORT", { GW_HEALTH_PORT: "2381" })).toBe("2381");
    expect(readVariable("GW_HEALTH_PORT", { GW_HEALTH_PORT: "http://x" })).toBe("http://x");
    expect(readVariable("GW_ENDPOINTS", { GW_ENDPOINTS: "tcp://10.0.0.1:80" })).toBe("tcp://10.0.0.1:80");
    expect(unknownVariables({ GW_PORT: "2379" }, known)?.count).toBe(1);
  });
});

test("a value loses the blanks and line ends around it, and an empty one is not set", () => {
  for (const [value, expected] of [
    ["5s\n", "5s"],
    ["\t 5s \r\n", "5s"],
    ["", undefined],
    [" \n", undefined],
    ["a b", "a b"],
  ])
    expect(readVariable("GW_RETRY_DELAY", { GW_RETRY_DELAY: value })).toBe(expected);
});

test("unknown variables are named with what is nearest, the first few of them", () => {
  const environment = {
    GW_ENDPOINT: "h",
    GW_RETRYDELAY: "1s",
    GW_LOG_LEVL: "info",
    GW_ZZZ: "1",
    HOME: "/",
    GW_EMPTY: "",
  };
  expect(unknownVariables(environment, known)).toEqual({
    named: ["GW_ENDPOINT (GW_ENDPOINTS?)", "GW_LOG_LEVL (GW_LOG_LEVEL?)", "GW_RETRYDELAY (GW_RETRY_DELAY?)"],
    count: 4,
  });
  expect(unknownVariables({ GW_ZZZZZZZZ: "1" }, known)).toEqual({ named: ["GW_ZZZZZZZZ"], count: 1 });
});

const name = fc.oneof(
  fc.constantFrom(...known),
  fc.string({ unit: fc.constantFrom(..."ABCPORT_0129"), maxLength: 40 }).map(rest => `GW_${rest}`),
  fc.string({ unit: "binary", maxLength: 300 }).map(rest => `GW_${rest}`),
);
const value = fc.oneof(
  fc.constantFrom("", "\n", "tcp://10.0.0.1:80", "udp://[::1]:53", "80", " 1s\n", "__proto__"),
  fc.string({ unit: "binary", maxLength: 50 }),
);

/** Environments that something was wrong with once, or that are near to such. */
const corpus: [Record<string, string>][] = [
  [{ GW_HEALTH_PORT: "tcp://10.0.0.1:80" }],
  [{ GW_HEALTH_PORT: "TCP://10.0.0.1:80\n" }],
  [{ GW_: "x", GW__SERVICE_HOST: "", GW_PORT_1_TCP: "x" }],
  [{ GW_ENDPOINTS: "", GW_CONNECT_TIMEOUT: " " }],
  [Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`GW_${"A".repeat(200)}${index}`, "x"]))],
];

test("any environment makes one short line at most, and is read without an error", () => {
  fc.assert(
    fc.property(fc.dictionary(name, value, { maxKeys: 30 }), environment => {
      const unknown = unknownVariables(environment, known);
      if (unknown) expect(JSON.stringify(unknown.named).length).toBeLessThan(1_500);
      for (const variable of known) {
        const read = readVariable(variable, environment);
        if (read === undefined) continue;
        expect(read).toBe(environment[variable]?.trim());
        expect(read).not.toBe("");
        expect(isServiceLink(variable, read)).toBe(false);
      }
    }),
    { seed: 1, numRuns: 500, examples: corpus },
  );
});
