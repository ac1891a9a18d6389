import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { type Clock, startTimeout } from "@gw/interface";
import type { Buffers } from "./buffers.js";
import {
  SharedBufferReader,
  type SocketHandler,
  type SocketReader,
  setHandler,
  streamReader,
} from "./socket-events.js";

/** For a connection within one process; if it takes longer, it is blocked. In milliseconds. */
const timeoutMs = 2_000;

let known: Promise<boolean> | undefined;

/**
 * The best reader that works with this version of Node. Found out once for the process, by a connection to itself.
 */
export async function detectReader(buffers: Buffers, clock: Clock): Promise<SocketReader> {
  known ??= new Promise(resolve => new SelfTest(buffers, clock, resolve));
  return (await known) ? new SharedBufferReader(buffers) : streamReader;
}

/** Sends a question and an answer over one connection, of which both ends read into the shared buffer. */
class SelfTest {
  readonly #buffers: Buffers;
  readonly #reader: SharedBufferReader;
  readonly #server: Server = createServer({ pauseOnConnect: true });
  readonly #sockets: Socket[] = [];
  readonly #stopTimer: () => void;
  readonly #onEnd: (works: boolean) => void;

  constructor(buffers: Buffers, clock: Clock, onEnd: (works: boolean) => void) {
    this.#buffers = buffers;
    this.#reader = new SharedBufferReader(buffers);
    this.#onEnd = onEnd;
    this.#stopTimer = startTimeout(clock, timeoutMs, () => this.#end(false));
    this.#server.on("error", () => this.#end(false));
    this.#server.listen(0, "127.0.0.1", () => this.#connect());
  }

  #connect(): void {
    this.#reader.accept(this.#server, socket => {
      this.#expect("question", socket, () => socket.write("answer"));
    });
    const { port } = this.#server.address() as AddressInfo;
    const socket = connect(this.#reader.dialOptions({ host: "127.0.0.1", port }));
    this.#reader.dialled(socket);
    this.#expect("answer", socket, () => this.#end(true));
    socket.write("question");
  }

  #expect(text: string, socket: Socket, onText: () => void): void {
    this.#sockets.push(socket);
    const fail = (): boolean => {
      this.#end(false);
      return true;
    };
    const handler: SocketHandler = {
      onInput: length => {
        if (this.#buffers.input.toString("latin1", 0, length) !== text) return fail();
        onText();
        return true;
      },
      onChunk: fail,
      onEnd: fail,
      onError: fail,
      onClose: fail,
    };
    setHandler(socket, handler);
  }

  #end(works: boolean): void {
    this.#stopTimer();
    for (const socket of this.#sockets) {
      setHandler(socket, undefined);
      socket.destroy();
    }
    this.#server.close();
    this.#onEnd(works);
  }
}
