// `npm start -- …`: sets up what is not set up yet, then is `gw …`.
import { setUp } from "./setup.mjs";

setUp();
// In this very process: a signal then has no wrapper to get lost in.
await import("../apps/cli/bin/gw.js");
