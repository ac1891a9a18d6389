import type { Socket } from "node:net";
import type { ByteStream } from "./byte-stream.js";
import { Changing } from "./waiting.js";

/**
 * The socket options of a peer. With this mark Node stops reading after each chunk until that is taken. Only so
 * can a reset that comes close behind the last bytes be told from an end of input: libuv takes one for the other
 * where it is still reading after a chunk.
 */
export const peerOptions = { allowHalfOpen: true, noDelay: true, highWaterMark: 1 } as const;

const chunkLength = 256 * 1024;

/** A socket that sends and reads as it is told to, and remembers what it has seen. */
export class PeerSocket extends Changing {
  readonly socket: Socket;
  /** Whether the connection was made. */
  connected: boolean;
  /** Bytes that were read. */
  received = 0;
  /** How the input ended: `end`, or the code of the error, once it has. */
  fate: string | undefined;
  /** What was read and nobody has asked for; empty where a {@link ByteStream} is expected. */
  protected unread = "";
  /** The index of the first byte that was not the expected one. */
  protected wrongAt: number | undefined;
  #expected: ByteStream | undefined;
  #holding = false;
  #echoing = false;

  constructor(socket: Socket, limitMs: number) {
    super(limitMs);
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

  #take(): void {
    const chunk: Buffer | null = this.socket.read();
    if (chunk === null) return;
    const at = this.#expected?.mismatch(this.received, chunk);
    if (at !== undefined) this.wrongAt ??= this.received + at;
    if (this.#echoing) this.socket.write(chunk);
    else if (!this.#expected) this.unread += chunk.toString("latin1");
    this.received += chunk.length;
    this.changed();
  }

  /** An error after an end of input is news; a close after anything is not. */
  #ended(fate: string): void {
    if (this.fate === undefined || (this.fate === "end" && fate !== "close")) this.fate = fate;
    this.changed();
  }
}
