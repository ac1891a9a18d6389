// `npm start -- …`: sets up what is not set up yet, then runs `gw …`.
import { setUp } from "./setup.mjs";

setUp();
// In this process, so that signals reach gw and not a wrapper.
await import("../apps/cli/bin/gw.js");
