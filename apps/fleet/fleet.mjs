// `npm run fleet`: sets up what is not set up yet, then simulates. The set-up brings tsx, which runs the rest.
import { setUp } from "../../scripts/setup.mjs";

setUp();
const { register } = await import("tsx/esm/api");
register();
await import("./src/main.ts");
