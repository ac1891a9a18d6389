import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket, type TcpNetConnectOpts } from "node:net";
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import type { ClientEvents, GatewayError, RelayClient, RelayEnd, RelaySettings } from "@gw/interface";
import {
  connectTo,
  freePort,
  type ManualClock,
  manualClock,
  outcome,
  queue,
  startBackend,
  startBlackHole,
} from "@gw/testing";
import { describe, expect, test, vi } from "vitest";
import { JsRelay, type JsRelayOptions } from "./relay.js";
import { detectReader } from "./self-test.js";
import { streamReader } from "./socket-events.js";

// What needs a manual clock, and what is particular to this relay. The rest of the contract is the
// compliance suite's.

const timeouts = { idleTimeoutMs: 0, halfCloseTimeoutMs: 0, writeTimeoutMs: 0 };
const keepAlive = { keepAliveDelayMs: 0, keepAliveIntervalMs: 0, keepAliveProbes: 0, userTimeoutMs: 0 };

/** How much is read from a client that has no backend, at least. */
const earlyLength = 64 * 1024;

/** Records the events of a client that the relay has accepted. */
class EventRecorder implements ClientEvents {
  readonly relayed: RelayClient;
  end: RelayEnd | undefined;
  readonly #dials = queue<"connected" | GatewayError>();

  constructor(relayed: RelayClient) {
    this.relayed = relayed;
  }

  connected(): void {
    this.#dials.put("connected");
  }

  dialFailed(error: GatewayError): void {
    this.#dials.put(error);
  }

  ended(end: RelayEnd): void {
    this.end = end;
  }

  /** The outcome of a dial. */
  dialled(): Promise<"connected" | GatewayError> {
    return this.#dials.take();
  }

  /** Lets time pass in steps until the connection has ended; returns how. */
  async untilEnded(clock: ManualClock, stepMs: number): Promise<RelayEnd> {
    while (!this.end) await clock.advance(stepMs);
    return this.end;
  }
}

describe.each([
  ["into a shared buffer", detectReader],
  ["as streams do", async () => streamReader],
])("reading %s", (_, detect) => {
  /** A relay that listens, and the clients that it accepts. */
  async function listen(settings: Partial<RelaySettings> = {}, options: JsRelayOptions = {}) {
    const accepted = queue<EventRecorder>();
    const onClient = (relayed: RelayClient): ClientEvents => {
      const recorder = new EventRecorder(relayed);
      accepted.put(recorder);
      return recorder;
    };
    const listener = await new JsRelay(options, detect).listen(
      { host: "127.0.0.1", port: 0 },
      { onClient, onError: () => {} },
      { ...timeouts, ...keepAlive, ...settings },
    );
    return { listener, accepted, [Symbol.dispose]: () => listener.close() };
  }

  /** A client of a relay, until the end of the test. */
  async function accept(settings: Partial<RelaySettings> = {}, options: JsRelayOptions = {}) {
    using listening = await listen(settings, options);
    const client = await connectTo(listening.listener.address.port);
    const recorder = await listening.accepted.take();
    return { client, recorder, relayed: recorder.relayed, [Symbol.dispose]: () => recorder.relayed.abort() };
  }

  /** The same, with a backend, and its side of the connection. */
  async function connection(settings: Partial<RelaySettings>, clock: ManualClock) {
    const backend = await startBackend();
    const { client, recorder } = await accept(settings, { clock });
    recorder.relayed.dial([backend.address], 10_000);
    expect(await recorder.dialled()).toBe("connected");
    const server = await backend.next();
    return { client, server, recorder, [Symbol.asyncDispose]: backend[Symbol.asyncDispose] };
  }

  test.each([
    { who: "is dialled for", dials: true },
    { who: "waits for a dial", dials: false },
  ])("the reset of a client that $who is noticed, though no more is read from it", async ({ dials }) => {
    const clock = manualClock();
    await using hole = await startBlackHole();
    using accepted = await accept({}, { clock });
    const { client, recorder, relayed } = accepted;
    if (dials) relayed.dial([{ host: "127.0.0.1", port: hole.port }], 80_000);
    client.write(Buffer.alloc(1024 * 1024));
    await expect.poll(() => relayed.bytesFromClient).toBeGreaterThanOrEqual(earlyLength);
    client.resetAndDestroy();
    const end = await recorder.untilEnded(clock, 5_000);
    expect(end).toMatchObject({ reason: "client-failed", error: { code: "reset" } });
    expect(clock.now()).toBeLessThan(80_000);
  });

  test("a client's reset is noticed, though its backend reads nothing", async () => {
    const clock = manualClock();
    await using pair = await connection({}, clock);
    const { client, server, recorder } = pair;
    server.pause();
    client.write(Buffer.alloc(64 * 1024 * 1024));
    // From then on the relay reads nothing: the count of bytes read does not grow from one turn to the next.
    for (let before = -1; before !== recorder.relayed.bytesFromClient; await turns(100))
      before = recorder.relayed.bytesFromClient;
    client.resetAndDestroy();
    expect(await recorder.untilEnded(clock, 1_000)).toMatchObject({ reason: "client-failed" });
    expect((await outcome(server)).end).toBe("ECONNRESET");
  });

  test("resets right behind the last bytes are noticed, though many sockets are read at once", async () => {
    const clock = manualClock();
    await using backend = await startBackend();
    const accepted = await Promise.all(Array.from({ length: 32 }, () => accept({}, { clock })));
    for (const { relayed } of accepted) relayed.dial([backend.address], 10_000);
    for (const { recorder } of accepted) expect(await recorder.dialled()).toBe("connected");
    for (const { client } of accepted) {
      client.write("x");
      client.resetAndDestroy();
    }
    for (const { recorder } of accepted) {
      await expect.poll(() => recorder.end).toBeDefined();
      expect(recorder.end).toMatchObject({ reason: "client-failed", error: { code: "reset" } });
    }
  });

  test("the address of a client that has left is known if it was read before, and empty otherwise", async () => {
    const accepted = await Promise.all([accept(), accept()]);
    const [asked, unasked] = accepted;
    const address = { host: "127.0.0.1", port: asked.client.localPort };
    expect(asked.relayed.address).toEqual(address);
    for (const { client, recorder } of accepted) {
      client.resetAndDestroy();
      await expect.poll(() => recorder.end).toBeDefined();
    }
    expect(asked.relayed.address).toEqual(address);
    expect(unasked.relayed.address).toEqual({ host: "", port: 0 });
  });

  test.runIf(process.platform === "linux")(
    "a client that was reset before it was accepted is reported, and ends as any other",
    async () => {
      using listening = await listen();
      const { port } = listening.listener.address;
      // Meanwhile this process accepts nothing.
      const script = `const c = require("net").connect(${port}, "127.0.0.1", () => c.resetAndDestroy())`;
      expect(spawnSync(process.execPath, ["-e", script]).status).toBe(0);
      const recorder = await listening.accepted.take();
      await expect.poll(() => recorder.end).toBeDefined();
      expect(recorder.end).toMatchObject({ reason: "client-failed", error: { code: "reset" } });
      expect(recorder.relayed.address).toEqual({ host: "", port: 0 });
    },
  );

  test("a dial without an answer fails after its timeout, and another may follow", async () => {
    const clock = manualClock();
    await using hole = await startBlackHole();
    await using backend = await startBackend();
    using accepted = await accept({}, { clock });
    const { client, recorder, relayed } = accepted;
    const noAnswer = { host: "127.0.0.1", port: hole.port };
    relayed.dial([noAnswer], 1_000);
    await clock.advance(999);
    relayed.cancelDial();
    relayed.dial([noAnswer], 1_000);
    await clock.advance(1_250);
    expect(await recorder.dialled()).toMatchObject({ code: "timed-out" });
    client.end("early");
    relayed.dial([backend.address], 1_000);
    expect(await recorder.dialled()).toBe("connected");
    expect(await outcome(await backend.next())).toEqual({ received: Buffer.from("early"), end: "end" });
  });

  test.each([
    { writes: "a short one", sizes: [1], expected: 0 },
    { writes: "a second one", sizes: [1, 1], expected: 1 },
    { writes: "one longer than a segment", sizes: [1_500], expected: 1 },
  ])("no write is delayed: TCP_NODELAY is set before $writes where it has an effect", async row => {
    let socket: Socket | undefined;
    const spied = (options: TcpNetConnectOpts): Socket => {
      socket = connect(options);
      vi.spyOn(socket, "setNoDelay");
      return socket;
    };
    await using backend = await startBackend();
    using accepted = await accept({}, { connect: spied });
    accepted.relayed.dial([backend.address], 10_000);
    expect(await accepted.recorder.dialled()).toBe("connected");
    const server = await backend.next();
    for (const size of row.sizes) {
      const received = receive(server, size);
      accepted.client.write(Buffer.alloc(size));
      await received;
    }
    expect(vi.mocked((socket as Socket).setNoDelay).mock.calls).toEqual(Array(row.expected).fill([true]));
  });

  test("a dial that reaches itself is refused", async () => {
    const port = await freePort();
    const from = { localAddress: "127.0.0.1", localPort: port };
    using accepted = await accept({}, { connect: options => connect({ ...options, ...from }) });
    accepted.relayed.dial([{ host: "127.0.0.1", port }], 10_000);
    expect(await accepted.recorder.dialled()).toMatchObject({ code: "refused" });
  });

  test("a dial that cannot even be started fails after dial() has returned", async () => {
    using accepted = await accept();
    const { recorder, relayed } = accepted;
    const reported = vi.spyOn(recorder, "dialFailed");
    relayed.dial([{ host: "127.0.0.1", port: 65_536 }], 10_000);
    expect(reported).not.toHaveBeenCalled();
    expect(await recorder.dialled()).toMatchObject({ code: "unknown" });
  });

  test("a second dial beside one that is under way throws", async () => {
    await using hole = await startBlackHole();
    using accepted = await accept();
    const dial = (): void => accepted.relayed.dial([{ host: "127.0.0.1", port: hole.port }], 10_000);
    dial();
    expect(dial).toThrow(expect.objectContaining({ code: "invalid-option" }));
  });

  test("an idle connection is reset when its timeout has passed, not before", async () => {
    const clock = manualClock();
    await using pair = await connection({ idleTimeoutMs: 1_000 }, clock);
    const { client, server, recorder } = pair;
    await clock.advance(999);
    await sendByte(client, server);
    await clock.advance(999);
    await sendByte(server, client);
    const ends = Promise.all([outcome(client), outcome(server)]);
    await clock.advance(1_250);
    expect((await ends).map(({ end }) => end)).toEqual(["ECONNRESET", "ECONNRESET"]);
    expect(recorder.end).toMatchObject({ reason: "timed-out", error: { code: "timed-out" } });
  });

  test("a connection of which one side has ended is reset when no more bytes come", async () => {
    const clock = manualClock();
    await using pair = await connection({ halfCloseTimeoutMs: 1_000 }, clock);
    const { client, server, recorder } = pair;
    await clock.advance(10_000);
    client.end();
    await outcome(server);
    await clock.advance(999);
    await sendByte(server, client);
    const ended = outcome(client);
    await clock.advance(1_250);
    expect((await ended).end).toBe("ECONNRESET");
    expect(recorder.end).toMatchObject({ reason: "timed-out", error: { code: "timed-out" } });
  });

  test("a connection of which one side accepts no pending bytes is reset", async () => {
    const clock = manualClock();
    await using pair = await connection({ writeTimeoutMs: 1_000 }, clock);
    const { client, server, recorder } = pair;
    await clock.advance(10_000);
    await sendByte(client, server);
    server.pause();
    const ended = outcome(client);
    client.write(Buffer.alloc(64 * 1024 * 1024));
    const sinceMs = clock.now();
    const { reason, error } = await recorder.untilEnded(clock, 125);
    expect(clock.now()).toBeGreaterThanOrEqual(sinceMs + 1_000);
    expect(`${reason}: ${error?.detail}`).toMatch(/^timed-out: backend/);
    expect([(await ended).end, (await outcome(server)).end]).toEqual(["ECONNRESET", "ECONNRESET"]);
  });
});

async function sendByte(from: Socket, to: Socket): Promise<void> {
  const arrived = once(to, "data");
  from.write("?");
  await arrived;
}

async function receive(socket: Socket, length: number): Promise<void> {
  for (let left = length; left > 0; ) {
    const [chunk] = (await once(socket, "data")) as [Buffer];
    left -= chunk.length;
  }
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await eventLoopTurn();
}
