import { readdirSync } from "node:fs";
import { defineConfig } from "vitest/config";

const projects = ["packages", "apps"].flatMap(folder =>
  readdirSync(new URL(folder, import.meta.url)).map(name => ({
    extends: true as const,
    test: { name, root: `${folder}/${name}`, include: ["{src,test}/**/*.test.ts"] },
  })),
);

export default defineConfig({
  // Packages import each other's sources, so that no stale build is tested and breakpoints are in TypeScript.
  ssr: { resolve: { conditions: ["@gw/source", "module", "node", "development|production"] } },
  test: {
    projects,
    // A limit against hanging, not a measure of speed: the machines that run this may be slow.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
