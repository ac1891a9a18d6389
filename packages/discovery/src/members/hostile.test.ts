import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { startBackend } from "@gw/testing";
import { describe, expect, test } from "vitest";
import { json, type Respond, startFakeCluster, startFakeEtcd } from "../../test/fake-etcd.js";
import { recordEvents, watched } from "../../test/watched.js";
import { parseEndpoints } from "../parse.js";
import { staticEndpoints } from "../static.js";
import { members } from "./members.js";

/** Only a refresh makes it ask again. */
const never = { intervalMs: 3_600_000, minRefreshMs: 3_600_000, maxRefreshMs: 3_600_000 };

/** The event that reports a server, with `SERVER` in place of its address. */
async function complaintAbout(address: string, timeoutMs = 60_000): Promise<string> {
  const seeds = staticEndpoints(parseEndpoints(address).endpoints);
  const observer = recordEvents();
  await using watch = watched(members({ seeds, ...never, timeoutMs, observer }));
  await watch.next();
  const end = watch.next();
  const event = await observer.events.take();
  void end;
  return event.replaceAll(address, "SERVER");
}

const ask = "no server lists the members: ask SERVER";
const noList = `discoveryFailed [unknown] ${ask}: its answer is not a member list`;

function answering(body: unknown): Respond {
  return (_, response) => json(response, 200, body);
}

function sending(status: number, headers: { readonly [name: string]: string }, text: string): Respond {
  return (_, response) => response.writeHead(status, headers).end(text);
}

const hostile: { readonly [name: string]: readonly [respond: Respond, complaint: string] } = {
  "no JSON": [sending(200, {}, "<html>"), noList],
  "no text": [(_, response) => response.writeHead(200).end(Buffer.from([0xff, 0x00])), noList],
  nothing: [sending(200, {}, ""), noList],
  null: [answering(null), noList],
  "a list": [answering([]), noList],
  "no members": [answering({}), `${noList}: members is missing or invalid`],
  "an empty list of members": [answering({ members: [] }), `${noList}: members is missing or invalid`],
  "members of a wrong type": [answering({ members: "a" }), `${noList}: members is missing or invalid`],
  "a member that is null": [answering({ members: [null] }), `${noList}: members.0 is missing or invalid`],
  "a URL that is a number": [
    answering({ members: [{ name: "a", clientURLs: [1] }] }),
    `${noList}: members.0.clientURLs.0 is missing or invalid`,
  ],
  "a learner by word": [
    answering({ members: [{ name: "a", isLearner: "false" }] }),
    `${noList}: members.0.isLearner is missing or invalid`,
  ],
  "101 members": [
    answering({ members: Array.from({ length: 101 }, () => ({ name: "a" })) }),
    `${noList}: members is missing or invalid`,
  ],
  "a URL that is none": [
    answering({ members: [{ name: "a", clientURLs: ["http://a b"] }] }),
    `discoveryFailed [unknown] ${ask}: member "a" has a wrong client URL: endpoint "http://a b": "a b" is not a host name or an IP address`,
  ],
  "a URL of another scheme": [
    answering({ members: [{ name: "a", clientURLs: ["ftp://a:1"] }] }),
    `discoveryFailed [unknown] ${ask}: member "a" has a wrong client URL: "ftp://a:1" is neither http nor https`,
  ],
  "no member that could serve": [
    answering({ members: [{}, { name: "a" }] }),
    "discoveryFailed [unknown] SERVER lists no started, voting member",
  ],
  "a redirect": [
    sending(302, { location: "http://127.0.0.1:1/" }, ""),
    `discoveryFailed [unknown] ${ask}: it answers with a redirect (302), which is not followed`,
  ],
  "an error": [sending(500, {}, "no"), `discoveryFailed [unknown] ${ask}: it refuses (status 500)`],
  "an error of etcd": [
    (_, response) => json(response, 503, { error: "etcdserver: no\nleader", code: 14 }),
    `discoveryFailed [unknown] ${ask}: it refuses, "etcdserver: no\\nleader" (status 503)`,
  ],
  "404, as etcd before 3.4": [
    sending(404, {}, "Not Found"),
    `discoveryFailed [unknown] ${ask}: it refuses (status 404)`,
  ],
  "what Go says to plain text in place of TLS": [
    sending(400, {}, "Client sent an HTTP request to an HTTPS server.\n"),
    `discoveryFailed [untrusted] ${ask}: it speaks TLS; write https:// in front of it`,
  ],
  "a body that is cut off": [
    (_, response, request) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("{", () => request.socket.destroy());
    },
    `discoveryFailed [reset] ${ask}: connection reset (ECONNRESET); if it speaks TLS, write https:// in front of it`,
  ],
  "a body without end": [
    (_, response) => {
      const more = (): void => void response.write(" ".repeat(65_536), error => error || more());
      response.writeHead(200);
      more();
    },
    `discoveryFailed [unknown] ${ask}: its answer is larger than 1 MiB`,
  ],
};

describe("a server that answers with", () => {
  test.each(Object.entries(hostile))("%s is no source of members", async (_, [respond, complaint]) => {
    await using server = await startFakeEtcd(respond);
    expect(await complaintAbout(server.address)).toBe(complaint);
    expect(server.asked.length).toBe(1);
  });
});

/** A server of which a test writes the bytes. */
async function startRaw(
  onConnection: (socket: Socket) => void,
): Promise<AsyncDisposable & { address: string }> {
  const backend = await startBackend(onConnection);
  return {
    address: `127.0.0.1:${backend.port}`,
    [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
  };
}

describe("a server that", () => {
  test("never answers is given up", async () => {
    await using server = await startRaw(() => {});
    expect(await complaintAbout(server.address, 50)).toBe(
      `discoveryFailed [timed-out] ${ask}: no answer within 50 ms`,
    );
  });

  test("answers byte by byte is given up", async () => {
    await using server = await startRaw(socket => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      const timer = setInterval(() => socket.write(" "), 5);
      socket.once("close", () => clearInterval(timer));
    });
    expect(await complaintAbout(server.address, 100)).toBe(
      `discoveryFailed [timed-out] ${ask}: no answer within 100 ms`,
    );
  });

  test("resets the connection may speak TLS", async () => {
    await using server = await startRaw(socket => socket.once("data", () => socket.resetAndDestroy()));
    expect(await complaintAbout(server.address)).toBe(
      `discoveryFailed [reset] ${ask}: connection reset (ECONNRESET); if it speaks TLS, write https:// in front of it`,
    );
  });

  test("answers with a TLS alert speaks TLS", async () => {
    await using server = await startRaw(socket =>
      socket.once("data", () => socket.end(Buffer.from("15030100020232", "hex"))),
    );
    expect(await complaintAbout(server.address)).toBe(
      `discoveryFailed [untrusted] ${ask}: it speaks TLS; write https:// in front of it`,
    );
  });

  test("speaks another protocol is reported", async () => {
    await using server = await startRaw(socket => socket.write("SSH-2.0-OpenSSH_9.2\r\n"));
    expect(await complaintAbout(server.address)).toBe(
      `discoveryFailed [unknown] ${ask}: its answer is not HTTP (HPE_INVALID_CONSTANT)`,
    );
  });

  test("sends headers without end is reported", async () => {
    await using server = await startRaw(socket => {
      socket.write(`HTTP/1.1 200 OK\r\n${"x: y\r\n".repeat(20_000)}`);
    });
    expect(await complaintAbout(server.address)).toBe(
      `discoveryFailed [unknown] ${ask}: the headers of its answer do not end`,
    );
  });
});

test("the first valid answer wins, whichever others fail", async () => {
  await using bad = await startFakeEtcd(answering("no"));
  await using cluster = await startFakeCluster(1);
  const [good] = cluster.servers;
  const seeds = staticEndpoints(parseEndpoints(`${bad.address},${good?.address}`).endpoints);
  for (const random of [() => 0, () => 0.99]) {
    await using watch = watched(members({ seeds, ...never, random }));
    await watch.next();
    expect(await watch.next()).toBe(good?.address);
  }
});

test("an abort ends what is under way", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const connected = once(server, "connection") as Promise<[Socket]>;
  const seeds = staticEndpoints(parseEndpoints(`127.0.0.1:${port}`).endpoints);
  {
    await using watch = watched(members({ seeds, ...never, timeoutMs: 3_600_000 }));
    await watch.next();
    await connected;
  }
  const [socket] = await connected;
  socket.on("error", () => {}).resume();
  await once(socket, "close");
  server.close();
  await once(server, "close");
});

test.skipIf(process.platform !== "linux")(
  "of 1,584 URLs 64 are used, and one warning names the rest",
  async () => {
    const open = new Set<Socket>();
    let [accepted, most] = [0, 0];
    const target = createServer(socket => {
      accepted += 1;
      most = Math.max(most, open.add(socket).size);
      socket.on("error", () => {}).once("close", () => open.delete(socket));
      socket.resume();
    }).listen(0, "0.0.0.0");
    await once(target, "listening");
    const { port } = target.address() as AddressInfo;
    // As many addresses of one server.
    const url = (index: number): string => `http://127.0.${1 + (index >> 8)}.${index & 255}:${port}`;
    const list = Array.from({ length: 99 }, (_, member) => ({
      name: `m${member}`,
      clientURLs: Array.from({ length: 16 }, (_, index) => url(member * 16 + index)),
    }));
    list[0]?.clientURLs.push("http://[fe80::1]:2379");
    await using server = await startFakeEtcd(answering({ members: list }));
    const observer = recordEvents();
    const warnings: string[] = [];
    const onWarning = ({ name }: Error): number => warnings.push(name);
    process.on("warning", onWarning);
    const seeds = staticEndpoints(parseEndpoints(server.address).endpoints);
    await using watch = watched(members({ seeds, ...never, observer }));
    await watch.next();
    expect((await watch.next()).split(" ")).toHaveLength(64);
    process.off("warning", onWarning);
    expect(warnings).toEqual([]);
    expect(accepted).toBeLessThanOrEqual(64);
    expect(most).toBeLessThanOrEqual(64);
    const event = await observer.events.take();
    expect(event).toMatch(/^endpointRejected .* are not used, more than 64 .*: "http:.*" and 1516 more$/);
    expect(event.length).toBeLessThan(400);
    target.close();
    await once(target, "close");
  },
);
