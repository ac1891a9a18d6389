import type { Socket } from "node:net";
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { inspect } from "node:util";
import type { ByteStream } from "./random.js";
import { Changing, Surprise } from "./waitable.js";

/**
 * The socket options of a peer. With this mark Node stops reading after each chunk until that is taken. Only so
 * can a reset that comes close behind the last bytes be told from an end of input: libuv takes one for the other
 * where it is still reading after a chunk.
 */
export const peerOptions = { allowHalfOpen: true, noDelay: true, highWaterMark: 1 } as const;

const chunkLength = 256 * 1024;

/** One end of a connection through the relay: sends and reads as a case says, and checks what it sees. */
export class Peer extends Changing {
  /** For messages: `client`, `backend`. */
  readonly name: string;
  readonly socket: Socket;
  /** Whether the connection was made. */
  connected: boolean;
  /** Bytes that were read. */
  received = 0;
  /** How the input ended: `end`, or the code of the error, once it has. */
  fate: string | undefined;
  /** What was read and nobody has asked for; empty where a {@link ByteStream} is expected. */
  #unread = "";
  /** The index of the first byte that was not the expected one. */
  #wrongAt: number | undefined;
  #expected: ByteStream | undefined;
  #holding = false;
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
    // Not at once: within its callback, libuv would see that reading goes on.
    socket.on("readable", () => setImmediate(() => this.#holding || this.#take()));
    socket.on("end", () => this.#ended("end"));
    socket.on("error", (error: NodeJS.ErrnoException) => this.#ended(error.code ?? error.message));
    socket.on("close", () => this.#ended("close"));
  }

  /** Its own port; 0 until it is connected. */
  get port(): number {
    return this.socket.localPort ?? 0;
  }

  /** Sends; resolves when all of it has left, or the connection is lost. */
  send(data: string | Buffer): Promise<void> {
    return new Promise(resolve => this.socket.write(data, "latin1", () => resolve()));
  }

  /** Sends `data`, if any, and ends the output. */
  end(data = ""): void {
    this.socket.end(data, "latin1");
  }

  /** Resets the connection; bytes that have not left are lost. */
  async reset(): Promise<void> {
    const { socket } = this;
    // libuv cannot reset while a shutdown is under way.
    if (socket.writableEnded && !socket.writableFinished && !socket.destroyed)
      await new Promise<void>(resolve => socket.once("finish", resolve).once("close", () => resolve()));
    socket.resetAndDestroy();
  }

  /** Sends `stream` up to `length`, no faster than it leaves, if `sent` bytes are sent already. */
  async pour(stream: ByteStream, length: number, sent = 0): Promise<void> {
    while (sent < length && this.socket.writable) {
      const chunk = stream.at(sent, Math.min(chunkLength, length - sent));
      await this.send(chunk);
      sent += chunk.length;
    }
  }

  /** Stops reading, and so is blind to what becomes of the connection. */
  hold(): void {
    this.#holding = true;
  }

  /** Reads one chunk, if one is there, and holds. */
  sip(): void {
    this.#holding = true;
    this.#take();
  }

  /** Reads all that comes. */
  flow(): void {
    this.#holding = false;
    this.#take();
  }

  /** From now on what comes must be `stream`. */
  expect(stream: ByteStream): void {
    this.#expected = stream;
  }

  /** From now on sends back what comes, and ends when the input has. */
  echo(): void {
    this.#echoing = true;
    this.socket.on("end", () => this.socket.end());
  }

  /** Resolves with whether the connection could be made. */
  async settled(): Promise<boolean> {
    await this.until(
      () => this.connected || this.fate || undefined,
      () => `${this}, still connecting`,
    );
    return this.connected;
  }

  /** Demands that the next bytes are `text`. */
  async gets(text: string): Promise<void> {
    const came = (): string => this.#unread.slice(0, text.length);
    const wrong = (): boolean => !text.startsWith(came()) || this.fate !== undefined;
    await this.until(
      () => came() === text || wrong() || undefined,
      () => `${this} waits for ${short(text)}`,
    );
    if (came() !== text) throw new Surprise(`${this} did not get ${short(text)}`);
    this.#unread = this.#unread.slice(text.length);
  }

  /** Demands that `length` bytes come in all, and that they are what was expected. */
  async getsBytes(length: number): Promise<void> {
    await this.until(
      () => this.#wrongAt !== undefined || this.received >= length || this.fate !== undefined || undefined,
      () => `${this} waits for ${length} bytes`,
    );
    this.demandRight();
    if (this.received !== length) throw new Surprise(`${this} did not get ${length} bytes`);
  }

  /** As {@link getsBytes}, for a slow reader: it takes one chunk in each turn of the event loop, and then holds. */
  async sipsTo(length: number): Promise<void> {
    const soon = (): unknown => setImmediate(() => this.received < length && this.sip());
    this.socket.on("readable", soon);
    this.sip();
    await this.getsBytes(length).finally(() => this.socket.off("readable", soon));
    this.flow();
  }

  /** Demands that `text` comes, then an end of input, and nothing else. */
  async getsEnd(text = ""): Promise<void> {
    await this.gets(text);
    if ((await this.getsFate("an end of input")) !== "end" || this.#unread !== "")
      throw new Surprise(`${this}, in place of an end of input`);
  }

  /** Demands that the connection is reset, whatever comes before. */
  async getsReset(): Promise<void> {
    const fate = await this.getsFate("a reset");
    if (!isReset(fate)) throw new Surprise(`${this}, in place of a reset`);
  }

  /** As {@link getsReset}, where an end is as good if all of `length` bytes came before it. */
  async getsAllOrReset(length: number): Promise<void> {
    const fate = await this.getsFate("a reset");
    if (!isReset(fate) && this.received !== length) throw new Surprise(`${this}, in place of a reset`);
  }

  /** As {@link getsReset}, for a peer that has no reason to read: it goes on sending until that fails. */
  async noticesReset(): Promise<void> {
    const late = performance.now() + this.limitMs;
    while (!this.socket.destroyed && performance.now() < late) {
      await this.send("?");
      await new Promise(resolve => setTimeout(resolve, 1));
    }
    await this.getsReset();
  }

  /** Resolves with how its input ended. */
  async getsFate(what: string): Promise<string> {
    const fate = await this.until(
      () => this.fate,
      () => `${this} waits for ${what}`,
    );
    this.demandRight();
    return fate;
  }

  /** Sends one byte to `other`, at the other end of the connection, and waits for it there. */
  async pings(other: Peer): Promise<void> {
    this.send(".");
    await other.gets(".");
    await eventLoopTurn();
  }

  /** Demands that all that came so far is what was expected. */
  demandRight(): void {
    if (this.#wrongAt !== undefined)
      throw new Surprise(`byte ${this.#wrongAt} that the ${this.name} gets is wrong`);
  }

  override toString(): string {
    const unread = this.#unread && `, ${short(this.#unread)} of them not expected yet`;
    const fate = this.fate === undefined ? "is open" : `saw ${this.fate === "end" ? "an end" : this.fate}`;
    return `the ${this.name} got ${this.received} bytes${unread} and ${fate}`;
  }

  #take(): void {
    const chunk: Buffer | null = this.socket.read();
    if (chunk === null) return;
    const at = this.#expected?.mismatch(this.received, chunk);
    if (at !== undefined) this.#wrongAt ??= this.received + at;
    if (this.#echoing) this.socket.write(chunk);
    else if (!this.#expected) this.#unread += chunk.toString("latin1");
    this.received += chunk.length;
    this.changed();
  }

  /** An error after an end of input is news; a close after anything is not. */
  #ended(fate: string): void {
    if (this.fate === undefined || (this.fate === "end" && fate !== "close")) this.fate = fate;
    this.changed();
  }
}

function isReset(fate: string): boolean {
  return fate === "ECONNRESET" || fate === "EPIPE";
}

function short(text: string): string {
  return inspect(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
