import { readFileSync } from "node:fs";

/** The version of this program. */
export function version(): string {
  const manifest: { version: string } = JSON.parse(
    // The code of gw is one file, in `dist`.
    readFileSync(new URL("../package.json", import.meta.url), "utf8"),
  );
  return manifest.version;
}
