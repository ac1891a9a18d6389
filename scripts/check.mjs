// `npm run check`: every check that is not a test. Prints one line for each and the totals last.
import { setUp, tryRun } from "./setup.mjs";

setUp();
const tasks = ["typecheck", "lint", "knip", "publint", "attw"];
const failed = tasks.filter(task => {
  console.error(`\n── ${task}`);
  return tryRun("turbo", ["run", task, "--output-logs=new-only"]).status !== 0;
});
for (const task of tasks) console.log(`${failed.includes(task) ? "failed" : "passed"}: ${task}`);
console.log(`${tasks.length - failed.length} passed, ${failed.length} failed`);
process.exitCode = failed.length > 0 ? 1 : 0;
