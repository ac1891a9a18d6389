#!/usr/bin/env node
// CommonJS, which loads faster; package.json in this folder says so.
// Loaded before the rest, which takes a while: from here on no signal ends the process by accident.
require("../dist/events.cjs");

const { loadScript } = require("../dist/code-cache.cjs");
const { endProcess, main } = loadScript("main.script");
// What is still under way (a look-up that hangs, say) must not keep the process.
main(process.argv.slice(2)).then(endProcess);
