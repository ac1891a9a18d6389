import { spawn } from "node:child_process";
import { once } from "node:events";

/** Holds a pseudo terminal, and does what the lines of its standard input ask for. */
const holder = `
import fcntl, json, os, pty, select, struct, sys, termios
rows, columns, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
def resize(rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", int(rows), int(columns), 0, 0))
resize(rows, columns)
rest = b""
while terminal >= 0:
    ready, _, _ = select.select([terminal, 0], [], [])
    if 0 in ready:
        *lines, rest = (rest + os.read(0, 4096)).split(b"\\n")
        for line in lines:
            request = json.loads(line)
            if "keys" in request: os.write(terminal, request["keys"].encode())
            elif "size" in request: resize(*request["size"])
            elif "signal" in request: os.kill(pid, request["signal"])
            else:
                os.close(terminal)
                terminal = -1
    if terminal >= 0 and terminal in ready:
        try: data = os.read(terminal, 65536)
        except OSError: data = b""
        if not data: break
        os.write(1, data)
os.close(terminal) if terminal >= 0 else None
_, status = os.waitpid(pid, 0)
os.write(1, b"\\nended with %d\\n" % os.waitstatus_to_exitcode(status))
`;

/** A program at a pseudo terminal. `await using` ends it. */
export interface PseudoTerminal extends AsyncDisposable {
  /** All that it has written. */
  readonly output: string;
  /** The lines of the newest whole frame of a program that draws its screen, without colours. */
  readonly screen: readonly string[];
  /** Resolves when `condition` is true of what was written so far. */
  until(condition: (terminal: PseudoTerminal) => boolean): Promise<void>;
  type(keys: string): void;
  resize(rows: number, columns: number): void;
  signal(number: number): void;
  /** Closes the terminal, as a window that is closed or a connection that is lost. */
  hangUp(): void;
  /** Resolves with the exit code; the number of a signal that ended it is negative. */
  readonly exit: Promise<number>;
}

/** Options of {@link startAtTerminal}. */
export interface TerminalOptions {
  readonly rows?: number;
  readonly columns?: number;
  readonly env?: { readonly [name: string]: string | undefined };
}

/** Starts a program at a pseudo terminal; needs python3. */
export function startAtTerminal(
  command: readonly string[],
  { rows = 24, columns = 80, env = {} }: TerminalOptions = {},
): PseudoTerminal {
  const child = spawn("python3", ["-c", holder, String(rows), String(columns), ...command], {
    env: { ...process.env, TERM: "xterm", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    child.emit("printed");
  });
  child.stdin.on("error", () => {});
  const closed = once(child, "close").then(() => {
    child.emit("printed");
    return Number(/ended with (-?\d+)\n$/.exec(output)?.[1]);
  });
  const ask = (request: object): void => void child.stdin.write(`${JSON.stringify(request)}\n`);
  const terminal: PseudoTerminal = {
    get output() {
      return output;
    },
    get screen() {
      const frames = output.split("\u001b[H").filter(frame => frame.includes("\u001b[J"));
      const [frame = ""] = (frames.at(-1) ?? "").split("\u001b[J");
      // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
      return frame.replace(/\u001b\[[0-9;]*[mK]/g, "").split(/\r+\n/);
    },
    async until(condition) {
      while (!condition(terminal)) {
        if (child.exitCode !== null) throw new Error(`it ended:\n${output}`);
        await once(child, "printed");
      }
    },
    type: keys => ask({ keys }),
    resize: (toRows, toColumns) => ask({ size: [toRows, toColumns] }),
    signal: number => ask({ signal: number }),
    hangUp: () => ask({}),
    exit: closed,
    async [Symbol.asyncDispose]() {
      // Its terminal goes with it, and so does the program at it.
      child.kill("SIGKILL");
      await closed;
    },
  };
  return terminal;
}
