import { networkInterfaces } from "node:os";
import { expect, test } from "vitest";
import { isLinkLocal, withLocalZone } from "../index.js";

const [own] = Object.entries(networkInterfaces()).flatMap(([name, addresses]) => {
  const one = addresses?.find(address => address.family === "IPv6" && address.scopeid > 0);
  return one?.family === "IPv6" ? { name, number: one.scopeid } : [];
});

test.each([
  ["fe80::1", true],
  ["febf::1", true],
  ["fe80::1%eth0", true],
  ["fec0::1", false],
  ["fe8::1", false],
  ["fd00::fe80", false],
  ["169.254.0.1", false],
])("%s is link-local: %s", (host, linkLocal) => {
  expect(isLinkLocal(host)).toBe(linkLocal);
});

test.each(["127.0.0.1", "::1", "infra0.example.com."])("%s, without a zone, stays as it is", host => {
  expect(withLocalZone(host)).toBe(host);
});

test.skipIf(!own)("an interface is found by its name and by its number", () => {
  const { name, number } = own as { name: string; number: number };
  const here = `fe80::1%${process.platform === "win32" ? number : name}`;
  expect([withLocalZone(`fe80::1%${name}`), withLocalZone(`fe80::1%${number}`)]).toEqual([here, here]);
});

test.each(["none0", "99999"])("an unknown interface %s is an error that lists the known ones", zone => {
  expect(() => withLocalZone(`fe80::1%${zone}`)).toThrow(
    expect.objectContaining({
      code: "unreachable",
      detail: expect.stringContaining(`no interface "${zone}"`),
    }),
  );
});
