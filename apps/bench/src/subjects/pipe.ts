import { fileURLToPath } from "node:url";
import type { Subject } from "../contract.js";

const script = fileURLToPath(new URL("../peers/pipe.js", import.meta.url));

/** The simplest proxy in Node, in fifteen lines. */
export const pipe: Subject = {
  name: "pipe",
  title: "pipe",
  setUp: "`a.pipe(b)` and `b.pipe(a)` on the same Node",
  version: async () => `Node ${process.versions.node}`,
  command: ({ listen, backends: [backend] }) => [process.execPath, script, listen, backend],
};
