import { type Endpoint, formatAddress, GatewayError } from "@gw/interface";
import { describe, expect, test } from "vitest";
import { recordEvents } from "../../test/watched.js";
import { parseEndpoint } from "../parse.js";
import { createAdvertised } from "./advertised.js";
import { isLoopback } from "./client-urls.js";

const { signal } = new AbortController();
const seed = parseEndpoint("seed:2379");

function member(...urls: readonly string[]) {
  return { name: "m", endpoints: urls.map(parseEndpoint), isLearner: false };
}

function names(endpoints: readonly Endpoint[]): string {
  return endpoints.map(formatAddress).join(" ");
}

test("localhost is not the address of a member on another machine, even if a local server listens there", async () => {
  const observer = recordEvents();
  const tried: string[] = [];
  const advertised = createAdvertised("members", observer, async endpoint => {
    tried.push(formatAddress(endpoint));
  });
  const members = [member("http://localhost:2379", "http://10.0.0.1:2379"), member("http://127.0.0.1:2379")];
  const elsewhere = await advertised.endpointsOf({ members, isLocal: false }, seed, signal);
  expect(names(elsewhere)).toBe("10.0.0.1:2379");
  expect(tried).toEqual(["10.0.0.1:2379"]);
  for (const name of ["localhost:2379", "127.0.0.1:2379"])
    expect(await observer.events.take()).toBe(
      `endpointRejected [unreachable] ${name} is a loopback address, and the member is on another machine`,
    );
});

test("localhost is where the members are when they run on this machine", async () => {
  const advertised = createAdvertised("members", undefined, async () => {});
  const members = [member("http://localhost:2379"), member("http://localhost:22379")];
  const here = await advertised.endpointsOf({ members, isLocal: true }, seed, signal);
  expect(names(here)).toBe("localhost:2379 localhost:22379");
});

test("loopback and other local addresses are never connected to", async () => {
  const tried: string[] = [];
  const advertised = createAdvertised("members", undefined, async endpoint => {
    tried.push(formatAddress(endpoint));
  });
  const own = ["127.0.0.1", "[::1]", "localhost", "169.254.169.254", "[fe80::1%25lo]", "0.0.0.0", "[::]"];
  const others = [
    "224.0.0.1",
    "[ff02::1]",
    "255.255.255.255",
    "[::ffff:169.254.169.254]",
    "[::ffff:127.0.0.1]",
  ];
  const members = [...own, ...others].map(host => member(`http://${host}:80`));
  const list = { members: [...members, member("http://10.0.0.1")], isLocal: false };
  expect(names(await advertised.endpointsOf(list, seed, signal))).toBe("10.0.0.1:2379");
  expect(tried).toEqual(["10.0.0.1:2379"]);
  await expect(advertised.endpointsOf({ members, isLocal: false }, seed, signal)).rejects.toMatchObject({
    code: "unreachable",
    detail: expect.stringMatching(
      /^none of the client URLs .* \(12\): 127\.0\.0\.1:80 is a loopback address/,
    ),
  });
});

test("link-local addresses are those of members that were reached at one", async () => {
  const advertised = createAdvertised("members", undefined, async () => {});
  const members = [member("http://169.254.7.1"), member("http://0.0.0.0")];
  const there = await advertised.endpointsOf({ members, isLocal: false, isLinkLocal: true }, seed, signal);
  expect(names(there)).toBe("169.254.7.1:2379");
});

test("at most 16 connections are tried at the same time", async () => {
  let running = 0;
  let most = 0;
  const advertised = createAdvertised("members", undefined, async () => {
    running += 1;
    most = Math.max(most, running);
    await new Promise(resolve => setImmediate(resolve));
    running -= 1;
  });
  const members = Array.from({ length: 64 }, (_, index) => member(`http://10.0.0.${index}`));
  expect(await advertised.endpointsOf({ members, isLocal: false }, seed, signal)).toHaveLength(64);
  expect(most).toBe(16);
});

test("a member keeps the URL that is in use, though another can be reached as well by now", async () => {
  const down = new Set(["a:2379"]);
  const advertised = createAdvertised("members", undefined, async endpoint => {
    if (down.has(formatAddress(endpoint))) throw new GatewayError("refused", "connection refused");
  });
  const list = { members: [member("http://a", "http://b")], isLocal: false };
  expect(names(await advertised.endpointsOf(list, seed, signal))).toBe("b:2379");
  down.clear();
  expect(names(await advertised.endpointsOf(list, seed, signal))).toBe("b:2379");
});

test("who has been reached is not tried again, nor is who was asked", async () => {
  const tried: string[] = [];
  const advertised = createAdvertised("members", undefined, async endpoint => {
    tried.push(formatAddress(endpoint));
  });
  const list = { members: [member("http://a"), member("http://seed")], isLocal: false };
  await advertised.endpointsOf(list, seed, signal);
  await advertised.endpointsOf(list, seed, signal);
  expect(tried).toEqual(["a:2379"]);
});

test("each fault of an address is reported once, also if members advertise the same one", async () => {
  const events: string[] = [];
  const observer = {
    endpointRejected: ({ error }: { readonly error: GatewayError }) => events.push(error.detail),
  };
  const advertised = createAdvertised("members", observer, async () => {});
  const members = [
    { ...member("http://127.0.0.1"), isLearner: true },
    member("http://127.0.0.1"),
    { ...member("http://seed"), isLearner: true },
    member("http://10.0.0.1"),
  ];
  const list = { members, ignored: ["http://[fe80::1]"], isLocal: false };
  await advertised.endpointsOf(list, seed, signal);
  await advertised.endpointsOf(list, seed, signal);
  expect(events).toEqual([
    expect.stringMatching(/127\.0\.0\.1:2379 is a learner/),
    expect.stringMatching(/127\.0\.0\.1:2379 is a loopback address/),
    expect.stringMatching(/seed:2379 is a learner/),
    expect.stringMatching(/client URLs that the members advertise are not used/),
  ]);
});

describe("isLoopback", () => {
  test.each(["localhost", "localhost.", "a.localhost", "127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])(
    "%s is",
    host => expect(isLoopback(host)).toBe(true),
  );
  test.each(["notlocalhost", "localhost.example", "127.example", "10.0.0.1", "::2", ""])("%j is not", host =>
    expect(isLoopback(host)).toBe(false),
  );
});
