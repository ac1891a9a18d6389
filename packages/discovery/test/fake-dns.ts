import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { freeDnsPort, type Queue, queue } from "@gw/testing";
import { type Answer, type DecodedPacket, decode, encode } from "dns-packet";

/** A query that was received. */
export interface Received {
  readonly query: DecodedPacket;
  readonly name: string;
  readonly type: string;
  /** Whether it has EDNS. */
  readonly edns: boolean;
  /** Where it came from; over TCP there is a socket as well. */
  readonly port: number;
  readonly socket?: Socket;
  /** Sends a packet back unchanged; over TCP after its length. */
  send(packet: Uint8Array): void;
  /** Sends a well-formed reply to this query back. */
  reply(content?: ReplyContent): void;
}

/** The content of a reply; the rest is taken from the query. */
export interface ReplyContent {
  readonly id?: number;
  readonly name?: string;
  readonly type?: "A" | "AAAA" | "SRV";
  readonly questions?: DecodedPacket["questions"];
  /** RFC 1035 §4.1.1: rcode and bits such as {@link truncated}. @default "recursion available" */
  readonly flags?: number;
  readonly answers?: Answer[];
  readonly authorities?: Answer[];
  readonly additionals?: Answer[];
}

export const truncated = 0x200;
export const recursion = 0x80;

/** A name server that a test controls. `await using` closes it. */
export interface FakeDns extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number };
  /** How many queries were received, over both transports. */
  readonly received: number;
  /** The next query, if the server was started without a behaviour. */
  readonly next: Queue<Received>["take"];
}

/** Starts a server, over UDP and TCP on one port; without a behaviour, the test answers each query. */
export async function startFakeDns(
  behaviour?: (received: Received) => void,
  host = "127.0.0.1",
): Promise<FakeDns> {
  const queries = queue<Received>();
  const sockets = new Set<Socket>();
  let received = 0;
  const take = (one: Received): void => {
    received += 1;
    (behaviour ?? queries.put)(one);
  };
  const tcp = createServer(socket => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", data => {
      const send = (packet: Uint8Array): void => void socket.write(withLength(packet));
      take({ ...read(data.subarray(2), send), port: socket.remotePort ?? 0, socket });
    });
  });
  const port = await freeDnsPort();
  tcp.listen(port, host);
  await once(tcp, "listening");
  const udp = createSocket(host.includes(":") ? "udp6" : "udp4", (data, { port, address }) => {
    const send = (packet: Uint8Array): void => udp.send(packet, port, address);
    take({ ...read(data, send), port });
  });
  udp.bind(port, host);
  await once(udp, "listening");
  return {
    address: { host, port },
    get received() {
      return received;
    },
    next: queries.take,
    async [Symbol.asyncDispose]() {
      udp.close();
      tcp.close();
      for (const socket of sockets) socket.destroy();
      await once(tcp, "close");
    },
  };
}

/** `packet` as it is sent over TCP. */
export function withLength(packet: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([packet.length >> 8, packet.length & 0xff]), packet]);
}

/** The packet of a reply to `query`. */
export function replyTo(query: DecodedPacket, content: ReplyContent = {}): Buffer {
  const { name, type, questions, id, flags = recursion, ...sections } = content;
  const [question] = query.questions ?? [];
  const asked = question && [{ ...question, name: name ?? question.name, type: type ?? question.type }];
  return encode({
    type: "response",
    id: id ?? query.id ?? 0,
    flags,
    questions: questions ?? asked ?? [],
    ...sections,
  });
}

function read(data: Buffer, send: (packet: Uint8Array) => void): Omit<Received, "port"> {
  const query = decode(data);
  const [question] = query.questions ?? [];
  return {
    query,
    name: question?.name ?? "",
    type: question?.type ?? "",
    edns: query.additionals?.some(({ type }) => type === "OPT") ?? false,
    send,
    reply: content => send(replyTo(query, content)),
  };
}

export const a = (name: string, data: string, ttl = 60): Answer => ({ name, type: "A", ttl, data });
export const aaaa = (name: string, data: string, ttl = 60): Answer => ({ name, type: "AAAA", ttl, data });
export const cname = (name: string, data: string, ttl = 60): Answer => ({ name, type: "CNAME", ttl, data });
export const srv = (name: string, target: string, ttl = 60): Answer => ({
  name,
  type: "SRV",
  ttl,
  data: { priority: 1, weight: 2, port: 2379, target },
});
export const soa = (name: string, minimum: number, ttl = 60): Answer => ({
  name,
  type: "SOA",
  ttl,
  data: { mname: "ns", rname: "root", serial: 1, refresh: 1, retry: 1, expire: 1, minimum },
});
