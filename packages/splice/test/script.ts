import { fileURLToPath, pathToFileURL } from "node:url";
import { type Program, startProgram } from "@gw/testing";
import { settings } from "./serving.js";

/** The folder of this package. */
export const packageFolder: string = fileURLToPath(new URL("..", import.meta.url));

/** A script that imports the built package from `folder`. It is text, so that Node runs it as it is. */
export function scriptWith(body: string, folder: string = packageFolder): string {
  return `
    (async () => {
      const { splice } = await import(${JSON.stringify(String(pathToFileURL(`${folder}/dist/index.js`)))});
      const settings = ${JSON.stringify(settings)};
      const noEvents = { connected() {}, dialFailed() {}, ended() {} };
      const listen = (relay, onClient, onError = () => {}) =>
        relay.listen({ host: "127.0.0.1", port: 0 }, { onClient, onError }, settings);
      ${body}
    })();`;
}

/** Options of {@link startScript}. */
interface ScriptOptions {
  /** `ulimit -n`. */
  readonly descriptors?: number;
  /** `LD_PRELOAD`. */
  readonly preload?: string;
}

/** Runs a script in a process of its own. */
export function startScript(script: string, { descriptors, preload }: ScriptOptions = {}): Program {
  const limit = descriptors ? `ulimit -n ${descriptors};` : "";
  const args = ["-c", `${limit} exec "$0" --eval "$1"`, process.execPath, script];
  return startProgram("sh", args, { env: { LD_PRELOAD: preload } });
}
