import { once } from "node:events";
import type { Socket } from "node:net";
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { inspect } from "node:util";
import type { ByteStream } from "./byte-stream.js";
import { Changing, Surprise } from "./waiting.js";

/**
 * The socket options of a peer. With this mark Node stops reading after each chunk until that is taken. Only so
 * can a reset that comes close behind the last bytes be told from an end of input: libuv takes one for the other
 * where it is still reading after a chunk.
 */
export const peerOptions = { allowHalfOpen: true, noDelay: true, highWaterMark: 1 } as const;

const chunkLength = 256 * 1024;

/** One end of a connection through the relay: its socket, and all that it has seen. */
export class Peer extends Changing {
  readonly socket: Socket;
  /** For messages: `client`, `backend`. */
  readonly name: string;
  /** Whether the connection was made. */
  connected: boolean;
  /** Bytes that were read. */
  received = 0;
  /** How the input ended: `end`, or the code of the error, once it has. */
  fate: string | undefined;
  #unread = "";
  #expected: ByteStream | undefined;
  #fault: string | undefined;
  #holding = false;
  #echoing = false;

  constructor(socket: Socket, name: string, limitMs: number) {
    super(limitMs);
    this.socket = socket;
    this.name = name;
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

  /** Resolves with whether the connection could be made. */
  async settled(): Promise<boolean> {
    await this.until(
      () => this.connected || this.fate || undefined,
      () => `${this}, still connecting`,
    );
    return this.connected;
  }

  /** Sends; resolves when all of it has left, or the connection is lost. */
  send(data: string | Buffer): Promise<void> {
    return new Promise(resolve => this.socket.write(data, "latin1", () => resolve()));
  }

  /** Sends `data`, if any, and ends the output. */
  end(data = ""): void {
    this.socket.end(data, "latin1");
  }

  /** Resets the connection, bytes that have not left are lost. */
  async reset(): Promise<void> {
    // libuv cannot reset while a shutdown is under way.
    if (this.socket.writableEnded && !this.socket.writableFinished) await once(this.socket, "finish");
    this.socket.resetAndDestroy();
  }

  /** Sends `length` bytes of `stream`, no faster than they leave; resolves with how many left. */
  async pour(stream: ByteStream, length: number): Promise<number> {
    let sent = 0;
    while (sent < length && this.socket.writable) {
      const chunk = stream.at(sent, Math.min(chunkLength, length - sent));
      await this.send(chunk);
      sent += chunk.length;
    }
    return sent;
  }

  /** Stops reading. */
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

  /** Sends one byte to `other`, at the other end of the connection, and waits for it there. */
  async pings(other: Peer): Promise<void> {
    this.send(".");
    await other.gets(".");
    await eventLoopTurn();
  }

  /** From now on sends back what comes, and ends when the input has. */
  echo(): void {
    this.#echoing = true;
    this.socket.on("end", () => this.socket.end());
  }

  /** Demands that the next bytes are `text`. */
  async gets(text: string): Promise<void> {
    const came = (): string => this.#unread.slice(0, text.length);
    const wrong = (): boolean => !text.startsWith(came()) || this.fate !== undefined;
    await this.until(
      () => came() === text || wrong() || undefined,
      () => `${this} waits for ${inspect(text)}`,
    );
    if (came() !== text) throw new Surprise(`${this} did not get ${inspect(text)}`);
    this.#unread = this.#unread.slice(text.length);
  }

  /** Demands that `length` bytes come in all, and that they are what was expected. */
  async getsBytes(length: number): Promise<void> {
    await this.until(
      () => this.#fault !== undefined || this.received >= length || this.fate !== undefined || undefined,
      () => `${this} waits for ${length} bytes`,
    );
    if (this.#fault) throw new Surprise(this.#fault);
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
    if ((await this.#fateOf("an end of input")) !== "end" || this.#unread !== "")
      throw new Surprise(`${this}, in place of an end of input`);
  }

  /** Demands that the connection is reset, whatever comes before. */
  async getsReset(): Promise<void> {
    const fate = await this.#fateOf("a reset");
    if (!isReset(fate)) throw new Surprise(`${this}, in place of a reset`);
  }

  /** As {@link getsReset}, where an end is as good if all of `length` bytes came before it. */
  async getsAllOrReset(length: number): Promise<void> {
    const fate = await this.#fateOf("a reset");
    if (!isReset(fate) && this.received !== length) throw new Surprise(`${this}, in place of a reset`);
  }

  /** As {@link getsReset}, for a peer that has no reason to read: it goes on sending until that fails. */
  async noticesReset(): Promise<void> {
    while (!this.socket.destroyed) {
      await this.send("?");
      await new Promise(resolve => setTimeout(resolve, 1));
    }
    await this.getsReset();
  }

  override toString(): string {
    const unread = this.#unread && `, ${inspect(this.#unread.slice(0, 100))} of them not expected yet`;
    const fate = this.fate === undefined ? "is open" : `saw ${this.fate === "end" ? "an end" : this.fate}`;
    return `the ${this.name} got ${this.received} bytes${unread} and ${fate}`;
  }

  async #fateOf(what: string): Promise<string> {
    const fate = await this.until(
      () => this.fate,
      () => `${this} waits for ${what}`,
    );
    if (this.#fault) throw new Surprise(this.#fault);
    return fate;
  }

  #take(): void {
    const chunk: Buffer | null = this.socket.read();
    if (chunk === null) return;
    const at = this.#expected?.mismatch(this.received, chunk);
    if (at !== undefined)
      this.#fault ??= `byte ${this.received + at} that the ${this.name} gets is a wrong one`;
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
