import { hostname } from "node:os";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { followNsswitch, parseNsswitch } from "./nsswitch.js";

/** The sources in short: `files! dns` ends after files if the name is unknown; `?` if it fails. */
function short(line: string, name = "etcd.example.com"): string | undefined {
  return parseNsswitch(line)(name)
    ?.map(
      ({ source, endsWhenUnknown, endsWhenFailing }) =>
        `${source}${endsWhenUnknown ? "!" : ""}${endsWhenFailing ? "?" : ""}`,
    )
    .join(" ");
}

describe("nsswitch.conf", () => {
  test.each([
    ["hosts: files dns", "files dns"],
    ["passwd: sss\n hosts:\tdns files # mdns\n", "dns files"],
    ["hosts:files dns", "files dns"],
    ["HOSTS : files", "files"],
    ["hosts: dns [!UNAVAIL=return] files", "dns!? files"],
    ["hosts: files [NOTFOUND=return] dns", "files! dns"],
    ["hosts: files [ notfound=continue  tryagain=return ] dns", "files? dns"],
    ["hosts: files[NOTFOUND=return]dns", "files! dns"],
    ["hosts: files mdns4_minimal [NOTFOUND=return] dns", "files dns"],
    ["hosts: files myhostname dns", "files dns"],
    ["passwd: files", "files dns"],
    ["", "files dns"],
    ["hosts:", ""],
  ])("%j means %s", (line, sources) => {
    expect(short(line)).toBe(sources);
  });

  test.each([
    "hosts: files resolve [!UNAVAIL=return] dns",
    "hosts: files sss dns",
    "hosts: files mdns dns",
    "hosts: files libvirt dns",
    "hosts: files wins",
    "hosts: files [SUCCESS=merge] dns",
    "hosts: files [!NOTFOUND=continue] dns",
    "hosts: files [whatever] dns",
    "hosts: constructor",
  ])("%j is left to the system", line => {
    expect(short(line)).toBeUndefined();
  });

  test("leaves the names of a module to the system", () => {
    expect(short("hosts: files mdns4_minimal [NOTFOUND=return] dns", "printer.local")).toBeUndefined();
    expect(short("hosts: files myhostname dns", "_gateway")).toBeUndefined();
    expect(short("hosts: files myhostname dns", hostname().toLowerCase())).toBeUndefined();
  });

  test("that is missing means files, then DNS", async () => {
    const sources = await followNsswitch("/no/such/file")("a");
    expect(sources?.map(({ source }) => source)).toEqual(["files", "dns"]);
  });

  test("may contain anything", () => {
    const words = fc.constantFrom(
      "hosts:",
      "files",
      "dns",
      "[",
      "]",
      "NOTFOUND=return",
      "!",
      " ",
      "\n",
      "#",
      "=",
    );
    const text = fc.oneof(
      fc.string(),
      fc.array(words).map(parts => `hosts: ${parts.join(" ")}`),
    );
    fc.assert(
      fc.property(text, content => {
        for (const { source } of parseNsswitch(content)("a.b") ?? [])
          expect(["files", "dns"]).toContain(source);
      }),
      { numRuns: 3_000, interruptAfterTimeLimit: 2_000 },
    );
  });
});
