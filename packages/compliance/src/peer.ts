import type { Socket } from "node:net";
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { inspect } from "node:util";
import { PeerSocket } from "./peer-socket.js";
import { Surprise } from "./waiting.js";

/** One end of a connection through the relay, and what a case demands of what it sees. */
export class Peer extends PeerSocket {
  /** For messages: `client`, `backend`. */
  readonly name: string;

  constructor(socket: Socket, name: string, limitMs: number) {
    super(socket, limitMs);
    this.name = name;
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
    const came = (): string => this.unread.slice(0, text.length);
    const wrong = (): boolean => !text.startsWith(came()) || this.fate !== undefined;
    await this.until(
      () => came() === text || wrong() || undefined,
      () => `${this} waits for ${short(text)}`,
    );
    if (came() !== text) throw new Surprise(`${this} did not get ${short(text)}`);
    this.unread = this.unread.slice(text.length);
  }

  /** Demands that `length` bytes come in all, and that they are what was expected. */
  async getsBytes(length: number): Promise<void> {
    await this.until(
      () => this.wrongAt !== undefined || this.received >= length || this.fate !== undefined || undefined,
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
    if ((await this.getsFate("an end of input")) !== "end" || this.unread !== "")
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
    if (this.wrongAt !== undefined)
      throw new Surprise(`byte ${this.wrongAt} that the ${this.name} gets is wrong`);
  }

  override toString(): string {
    const unread = this.unread && `, ${short(this.unread)} of them not expected yet`;
    const fate = this.fate === undefined ? "is open" : `saw ${this.fate === "end" ? "an end" : this.fate}`;
    return `the ${this.name} got ${this.received} bytes${unread} and ${fate}`;
  }
}

function isReset(fate: string): boolean {
  return fate === "ECONNRESET" || fate === "EPIPE";
}

function short(text: string): string {
  return inspect(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
