// A thread that simulates one scenario: src/main.ts starts it, and src/worker.ts is what it does.
import { register } from "tsx/esm/api";

register();
await import("./src/worker.ts");
