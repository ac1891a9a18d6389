// `npm test [-- vitest's arguments]`: sets up, runs the tests of all packages, prints the totals last.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root, setUp, tryRun } from "./setup.mjs";

setUp();
const report = join(root, "node_modules", ".gw-tests.json");
rmSync(report, { force: true });
const { status } = tryRun(process.execPath, [
  join(root, "node_modules/vitest/vitest.mjs"),
  "run",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${report}`,
  ...process.argv.slice(2),
]);
const { passed, failed, skipped } = totals(status);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exitCode = failed > 0 ? 1 : 0;

function totals(status) {
  if (!existsSync(report)) return { passed: 0, failed: 1, skipped: 0 };
  const { testResults } = JSON.parse(readFileSync(report, "utf8"));
  const states = testResults.flatMap(({ assertionResults }) => assertionResults.map(test => test.status));
  // A file that cannot be loaded, or an error outside of any test, fails without a failed test.
  const failedFiles = testResults.filter(
    file => file.status === "failed" && !file.assertionResults.some(isFailed),
  );
  const failed = states.filter(state => state === "failed").length + failedFiles.length;
  const passed = states.filter(state => state === "passed").length;
  const lost = (status !== 0 && failed === 0) || passed === 0;
  return {
    passed,
    failed: failed + (lost ? 1 : 0),
    skipped: states.length - passed - failed + failedFiles.length,
  };
}

function isFailed(test) {
  return test.status === "failed";
}
