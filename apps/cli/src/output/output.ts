import { close, write, writeSync } from "node:fs";

/** If more characters than this are pending, further text is dropped and counted. */
const maxPending = 1024 * 1024;
/** At most this many characters are written at once. */
const maxWrite = 64 * 1024;
/** How long to wait until a pipe that is full is tried again, in milliseconds: at first, and at most. */
const [firstRetryMs, lastRetryMs] = [10, 1_000] as const;

/** Where lines of text go. */
export interface Output {
  /** Queues whole lines. Never waits; where too much waits already, the text is dropped. */
  write(text: string): void;
  /** Resolves when all that was queued is written. */
  written(): Promise<void>;
  /** Why the newest attempt to write failed; undefined where it did not, or where a pipe is merely full. */
  readonly error: NodeJS.ErrnoException | undefined;
  /** What to write, when it works again, about the texts that were dropped. */
  droppedNotice: (texts: number) => string;
  /** How many texts were dropped since the last notice. */
  readonly dropped: number;
  /**
   * Writes to this descriptor from now on, and closes the former. What a write has begun is finished there, if it can be
   * written at all.
   */
  moveTo(fd: number): void;
  /** Writes as much as can be written at once, for the end of the process. */
  writeNow(): void;
}

/** What an {@link Output} calls. */
export interface OutputEvents {
  /** An attempt to write has failed, except where a pipe is merely full. */
  readonly onError?: (error: NodeJS.ErrnoException) => void;
  /** An attempt has worked. */
  readonly onWritten?: () => void;
}

/**
 * Writes text to a file descriptor, in order, in the background.
 *
 * No error is final: a pipe may be read from again, a disk may have room again, a terminal may come back. What a failed
 * attempt was to write is kept and tried again, at least once a second; of a line that was written in part the rest
 * follows. What is beyond {@link maxPending} meanwhile is dropped, and the count is written when it works again.
 */
export function openOutput(fd: number, events: OutputEvents = {}): Output {
  return new FileOutput(fd, events);
}

class FileOutput implements Output {
  #fd: number;
  /** The one that takes its place as soon as no write is under way. */
  #nextFd: number | undefined;
  readonly #events: OutputEvents;
  #queue: string[] = [];
  #pending = 0;
  #dropped = 0;
  /** What is to be written before anything else: what the newest attempt has not written. */
  #rest: Buffer | undefined;
  #busy = false;
  /** Whether it is busy because it waits until it tries again. */
  #isWaiting = false;
  #retryMs: number = firstRetryMs;
  #waiting: (() => void)[] = [];
  error: NodeJS.ErrnoException | undefined;
  droppedNotice = (texts: number): string => `gw: ${texts} lines were dropped\n`;

  constructor(fd: number, events: OutputEvents) {
    this.#fd = fd;
    this.#events = events;
  }

  get dropped(): number {
    return this.#dropped;
  }

  write(text: string): void {
    if (this.#pending > maxPending) {
      this.#dropped += 1;
      return;
    }
    this.#noteDropped();
    this.#add(text);
    this.#next();
  }

  written(): Promise<void> {
    return new Promise(resolve => {
      this.#waiting.push(resolve);
      this.#next();
    });
  }

  moveTo(fd: number): void {
    if (this.#nextFd !== undefined) close(this.#nextFd);
    this.#nextFd = fd;
    if (!this.#busy) this.#next();
  }

  writeNow(): void {
    // The system has what a write under way is to write.
    if (!this.#busy || this.#isWaiting) this.#useNextFd();
    const rest = this.#busy && !this.#isWaiting ? undefined : this.#rest;
    const text = Buffer.from(this.#queue.splice(0).join(""));
    this.#rest = undefined;
    this.#pending = 0;
    try {
      for (let left = rest ? Buffer.concat([rest, text]) : text; left.length > 0; ) {
        left = left.subarray(writeSync(this.#fd, left));
      }
    } catch {
      // It cannot be written at once.
    }
  }

  /** A line that was written in part is finished where it was begun, unless that fails. */
  #useNextFd(): void {
    if (this.#nextFd === undefined || (this.#rest && !this.error)) return;
    close(this.#fd);
    this.#fd = this.#nextFd;
    this.#nextFd = undefined;
  }

  #noteDropped(): void {
    if (this.#dropped > 0) this.#add(this.droppedNotice(this.#dropped));
    this.#dropped = 0;
  }

  #add(text: string): void {
    this.#queue.push(text);
    this.#pending += text.length;
  }

  #next(): void {
    if (this.#busy) return;
    this.#useNextFd();
    if (!this.#rest && this.#queue.length === 0) this.#noteDropped();
    const chunk = this.#rest ?? this.#take();
    if (!chunk) {
      const done = this.#waiting;
      this.#waiting = [];
      for (const resolve of done) resolve();
      return;
    }
    this.#busy = true;
    write(this.#fd, chunk, 0, chunk.length, null, (error, written) => {
      this.#rest = error ? chunk : chunk.subarray(written);
      if (this.#rest.length === 0) this.#rest = undefined;
      if (!error && written > 0) {
        this.error = undefined;
        this.#retryMs = firstRetryMs;
        this.#events.onWritten?.();
        this.#again();
      } else this.#failed(error ?? undefined);
    });
  }

  /** As many whole texts as make one write. */
  #take(): Buffer | undefined {
    let length = 0;
    let count = 0;
    for (const text of this.#queue) {
      if (count > 0 && length + text.length > maxWrite) break;
      length += text.length;
      count += 1;
    }
    if (count === 0) return undefined;
    this.#pending -= length;
    return Buffer.from(this.#queue.splice(0, count).join(""));
  }

  #failed(error: NodeJS.ErrnoException | undefined): void {
    const full = error === undefined || error.code === "EAGAIN" || error.code === "EINTR";
    this.error = full ? undefined : error;
    if (error && !full) this.#events.onError?.(error);
    // The reader of a pipe takes a moment; what else fails takes longer to mend.
    const ms = full ? this.#retryMs : lastRetryMs;
    this.#retryMs = Math.min(this.#retryMs * 2, lastRetryMs);
    this.#isWaiting = true;
    setTimeout(() => this.#again(), ms).unref();
  }

  #again(): void {
    this.#busy = false;
    this.#isWaiting = false;
    this.#next();
  }
}
