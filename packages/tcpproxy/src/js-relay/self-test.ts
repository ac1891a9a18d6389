import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { startTimeout, systemClock } from "@gw/interface";
import type { Buffers } from "./buffers.js";
import {
  SharedBufferReader,
  type SocketHandler,
  type SocketReader,
  setHandler,
  streamReader,
} from "./socket-events.js";

/** Within one machine and one process; where it takes longer something is in the way. */
const limitMs = 2_000;

let known: Promise<boolean> | undefined;

/** The best intake that works with this version of Node; found out once, with a connection to this process itself. */
export async function detectReader(staging: Buffers): Promise<SocketReader> {
  known ??= new Promise(resolve => new SelfTest(staging, resolve));
  return (await known) ? new SharedBufferReader(staging) : streamReader;
}

/** A question that goes up and an answer that comes down, both by way of the shared buffer. */
class SelfTest {
  readonly #staging: Buffers;
  readonly #intake: SharedBufferReader;
  readonly #server: Server = createServer({ pauseOnConnect: true });
  readonly #sockets: Socket[] = [];
  readonly #stopTimer = startTimeout(systemClock, limitMs, () => this.#found(false));
  readonly #onFound: (works: boolean) => void;

  constructor(staging: Buffers, onFound: (works: boolean) => void) {
    this.#staging = staging;
    this.#intake = new SharedBufferReader(staging);
    this.#onFound = onFound;
    this.#server.on("error", () => this.#found(false));
    this.#server.listen(0, "127.0.0.1", () => this.#connect());
  }

  #connect(): void {
    this.#intake.accept(this.#server, socket => {
      this.#expect("question", socket, () => socket.write("answer"));
    });
    const { port } = this.#server.address() as AddressInfo;
    const socket = connect({ port, host: "127.0.0.1", ...this.#intake.dialOptions });
    this.#intake.dialled(socket);
    this.#expect("answer", socket, () => this.#found(true));
    socket.write("question");
  }

  #expect(text: string, socket: Socket, onText: () => void): void {
    this.#sockets.push(socket);
    const fail = (): boolean => {
      this.#found(false);
      return true;
    };
    const reader: SocketHandler = {
      onInput: length => {
        if (this.#staging.input.toString("latin1", 0, length) !== text) return fail();
        onText();
        return true;
      },
      onChunk: fail,
      onEnd: fail,
      onError: fail,
      onClose: fail,
    };
    setHandler(socket, reader);
  }

  #found(works: boolean): void {
    this.#stopTimer();
    for (const socket of this.#sockets) {
      setHandler(socket, undefined);
      socket.destroy();
    }
    this.#server.close();
    this.#onFound(works);
  }
}
