import type { Socket } from "node:net";
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { inspect } from "node:util";
import type { ByteStream } from "./random.js";
import { Mismatch, Waitable } from "./waitable.js";

/**
 * The socket options of a peer. With a high-water mark of 1, Node stops reading after each chunk until the chunk is
 * consumed. Without that, libuv, still reading, reports a reset close behind the last bytes as an end of input.
 */
export const peerOptions = { allowHalfOpen: true, noDelay: true, highWaterMark: 1 } as const;

const chunkLength = 256 * 1024;

/** One end of a connection through the relay: sends and reads on request, and checks what it sees. */
export class Peer extends Waitable {
  /** For messages: `client`, `backend`. */
  readonly name: string;
  readonly socket: Socket;
  /** Whether the connection was made. */
  connected: boolean;
  /** Bytes that were read. */
  received = 0;
  /** How the input ended, once it has: `end`, `close`, or the code of the error. */
  inputEnd: string | undefined;
  /** What was read and no case has asked for yet; empty where a {@link ByteStream} is expected. */
  #unread = "";
  /** The index of the first byte that was not the expected one. */
  #wrongAt: number | undefined;
  #expected: ByteStream | undefined;
  #paused = false;
  #echoing = false;

  constructor(socket: Socket, name: string, limitMs: number) {
    super(limitMs);
    this.name = name;
    this.socket = socket;
    this.connected = !socket.connecting;
    socket.on("connect", () => {
      this.connected = true;
      this.changed();
    });
    // Not at once: within its callback, libuv would see that reading continues.
    socket.on("readable", () => setImmediate(() => this.#paused || this.#readChunk()));
    socket.on("end", () => this.#endInput("end"));
    socket.on("error", (error: NodeJS.ErrnoException) => this.#endInput(error.code ?? error.message));
    socket.on("close", () => this.#endInput("close"));
  }

  /** Its own port; 0 until it is connected. */
  get port(): number {
    return this.socket.localPort ?? 0;
  }

  /** Sends. Resolves when the kernel has taken all of it, or the connection is lost. */
  send(data: string | Buffer): Promise<void> {
    return new Promise(resolve => this.socket.write(data, "latin1", () => resolve()));
  }

  /** Sends `data`, if any, and ends the output. */
  end(data = ""): void {
    this.socket.end(data, "latin1");
  }

  /** Resets the connection; unsent bytes are lost. */
  async reset(): Promise<void> {
    const { socket } = this;
    // libuv cannot reset while a shutdown is under way.
    if (socket.writableEnded && !socket.writableFinished && !socket.destroyed)
      await new Promise<void>(resolve => socket.once("finish", resolve).once("close", () => resolve()));
    socket.resetAndDestroy();
  }

  /** Sends `stream` from `sent` up to `length`, one chunk after the other. */
  async sendStream(stream: ByteStream, length: number, sent = 0): Promise<void> {
    while (sent < length && this.socket.writable) {
      const chunk = stream.at(sent, Math.min(chunkLength, length - sent));
      await this.send(chunk);
      sent += chunk.length;
    }
  }

  /** Stops reading, and so cannot see how the connection ends. */
  pause(): void {
    this.#paused = true;
  }

  /** Reads one chunk, if one has arrived, and pauses. */
  readOnce(): void {
    this.#paused = true;
    this.#readChunk();
  }

  /** Reads everything that arrives. */
  resume(): void {
    this.#paused = false;
    this.#readChunk();
  }

  /** From now on, what arrives must be `stream`. */
  expect(stream: ByteStream): void {
    this.#expected = stream;
  }

  /** From now on, sends back what arrives, and ends its output when the input ends. */
  echo(): void {
    this.#echoing = true;
    this.socket.on("end", () => this.socket.end());
  }

  /** Resolves with whether the connection was made. */
  async connects(): Promise<boolean> {
    await this.until(
      () => this.connected || this.inputEnd || undefined,
      () => `${this}, still connecting`,
    );
    return this.connected;
  }

  /** Demands that the next bytes are `text`. */
  async gets(text: string): Promise<void> {
    const arrived = (): string => this.#unread.slice(0, text.length);
    const wrong = (): boolean => !text.startsWith(arrived()) || this.inputEnd !== undefined;
    await this.until(
      () => arrived() === text || wrong() || undefined,
      () => `${this} waits for ${abbreviate(text)}`,
    );
    if (arrived() !== text) throw new Mismatch(`${this} did not get ${abbreviate(text)}`);
    this.#unread = this.#unread.slice(text.length);
  }

  /** Demands that `length` bytes arrive in all, and that they are the expected ones. */
  async getsBytes(length: number): Promise<void> {
    await this.until(
      () =>
        this.#wrongAt !== undefined || this.received >= length || this.inputEnd !== undefined || undefined,
      () => `${this} waits for ${length} bytes`,
    );
    this.demandExpectedBytes();
    if (this.received !== length) throw new Mismatch(`${this} did not get ${length} bytes`);
  }

  /** As {@link getsBytes}, for a slow reader: one chunk in each turn of the event loop. */
  async readsSlowly(length: number): Promise<void> {
    const readLater = (): unknown => setImmediate(() => this.received < length && this.readOnce());
    this.socket.on("readable", readLater);
    this.readOnce();
    await this.getsBytes(length).finally(() => this.socket.off("readable", readLater));
    this.resume();
  }

  /** Demands that `text` arrives, then an end of input, and nothing else. */
  async getsEnd(text = ""): Promise<void> {
    await this.gets(text);
    if ((await this.getsInputEnd("an end of input")) !== "end" || this.#unread !== "")
      throw new Mismatch(`${this}, in place of an end of input`);
  }

  /** Demands that the connection is reset, whatever arrives before. */
  async getsReset(): Promise<void> {
    const fate = await this.getsInputEnd("a reset");
    if (!isReset(fate)) throw new Mismatch(`${this}, in place of a reset`);
  }

  /** As {@link getsReset}; an end of input passes as well if all of `length` bytes arrived before it. */
  async getsAllOrReset(length: number): Promise<void> {
    const fate = await this.getsInputEnd("a reset");
    if (!isReset(fate) && this.received !== length) throw new Mismatch(`${this}, in place of a reset`);
  }

  /** As {@link getsReset}, for a peer whose input has ended: it sends until that fails. */
  async noticesReset(): Promise<void> {
    const late = performance.now() + this.limitMs;
    while (!this.socket.destroyed && performance.now() < late) {
      await this.send("?");
      await new Promise(resolve => setTimeout(resolve, 1));
    }
    await this.getsReset();
  }

  /** Resolves with how its input ended. */
  async getsInputEnd(what: string): Promise<string> {
    const fate = await this.until(
      () => this.inputEnd,
      () => `${this} waits for ${what}`,
    );
    this.demandExpectedBytes();
    return fate;
  }

  /** Sends one byte to `other`, the other end of the connection, and waits until it arrives. */
  async pings(other: Peer): Promise<void> {
    this.send(".");
    await other.gets(".");
    await eventLoopTurn();
  }

  /** Demands that all bytes so far are the expected ones. */
  demandExpectedBytes(): void {
    if (this.#wrongAt !== undefined)
      throw new Mismatch(`byte ${this.#wrongAt} that the ${this.name} gets is wrong`);
  }

  override toString(): string {
    const unread = this.#unread && `, ${abbreviate(this.#unread)} of them not expected yet`;
    const fate =
      this.inputEnd === undefined ? "is open" : `saw ${this.inputEnd === "end" ? "an end" : this.inputEnd}`;
    return `the ${this.name} got ${this.received} bytes${unread} and ${fate}`;
  }

  #readChunk(): void {
    const chunk: Buffer | null = this.socket.read();
    if (chunk === null) return;
    const at = this.#expected?.mismatch(this.received, chunk);
    if (at !== undefined) this.#wrongAt ??= this.received + at;
    if (this.#echoing) this.socket.write(chunk);
    else if (!this.#expected) this.#unread += chunk.toString("latin1");
    this.received += chunk.length;
    this.changed();
  }

  /** An error after an end of input replaces it; a close replaces nothing. */
  #endInput(fate: string): void {
    if (this.inputEnd === undefined || (this.inputEnd === "end" && fate !== "close")) this.inputEnd = fate;
    this.changed();
  }
}

function isReset(fate: string): boolean {
  return fate === "ECONNRESET" || fate === "EPIPE";
}

function abbreviate(text: string): string {
  return inspect(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
