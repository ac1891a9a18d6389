#!/usr/bin/env node
// Loaded before the rest, which takes a while: from here on no signal ends the process by accident.
import "../dist/events.js";

const { endProcess, main } = await import("../dist/main.js");
// What is still under way (a look-up that hangs, say) must not keep the process.
await endProcess(await main(process.argv.slice(2)));
