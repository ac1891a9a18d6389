#!/usr/bin/env node
import { main } from "../dist/main.js";

// Whoever reads what is printed may have had enough (`gw resolve | head`).
process.stdout.on("error", () => process.exit());

const exitCode = await main(process.argv.slice(2));
// What is still under way (a look-up that hangs, say) must not keep the process; what was printed must get out.
process.stdout.write("", () => process.exit(exitCode));
