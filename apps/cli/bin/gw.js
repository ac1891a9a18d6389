#!/usr/bin/env node
import { main } from "../dist/main.js";

const exitCode = await main(process.argv.slice(2));
// What is still under way (a look-up that hangs, say) must not keep the process; what was printed must get out.
process.stdout.write("", () => process.exit(exitCode));
