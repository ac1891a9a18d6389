#!/usr/bin/env node
import { main } from "../dist/main.js";

// What is still under way (a look-up that hangs, say) must not keep the process.
process.exit(await main(process.argv.slice(2)));
