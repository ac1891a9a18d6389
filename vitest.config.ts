import { readdirSync } from "node:fs";
import { configDefaults, defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Files of the command line that measure time: they run after the others, so that nothing delays what they measure. */
const alone = ["test/loops.test.ts"];

const projects = ["packages", "apps"].flatMap(folder =>
  readdirSync(new URL(folder, import.meta.url)).map(name => ({
    extends: true as const,
    test: {
      name,
      root: `${folder}/${name}`,
      include: ["{src,test}/**/*.test.ts"],
      exclude: [...configDefaults.exclude, ...(name === "cli" ? alone : [])],
    },
  })),
);
const aloneProject = {
  extends: true as const,
  test: { name: "cli-alone", root: "apps/cli", include: alone, maxWorkers: 1, sequence: { groupOrder: 1 } },
};

/** Files that take longest, in that order, from half a minute up: mostly they wait for real programs. */
const longest = [
  "apps/cli/test/readme.test.ts",
  "apps/cli/test/health.test.ts",
  "packages/splice/test/sanitized-node.test.ts",
  "packages/splice/test/sanitizers.test.ts",
  "packages/splice/src/relay.test.ts",
  "packages/splice/src/relay-one-thread.test.ts",
  "apps/cli/test/rolling.test.ts",
  "apps/cli/test/etcd-perf.test.ts",
  "apps/cli/test/waiting-clients.test.ts",
  "apps/cli/test/usage.test.ts",
  "apps/cli/test/packed.test.ts",
  "packages/tcpproxy/src/js-relay/relay.test.ts",
  "packages/tcpproxy/src/js-relay/relay-streams.test.ts",
  "packages/compliance/src/relay/relay-compliance.test.ts",
  "apps/cli/test/identity.test.ts",
  "apps/bench/test/quick.test.ts",
  "apps/page/test/axe.test.ts",
  "apps/page/test/page.test.ts",
  "apps/page/test/gateway.test.ts",
];

/** Starts the files that take longest first, so that none of them runs alone at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = longest.findIndex(file => moduleId.endsWith(`/${file}`));
      return index < 0 ? longest.length : index;
    };
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}

export default defineConfig({
  // Packages import each other's sources, so that no stale build is tested and breakpoints are in TypeScript.
  ssr: { resolve: { conditions: ["@gw/source", "module", "node", "development|production"] } },
  test: {
    projects: [...projects, aloneProject],
    // Limits against hanging, not measures of speed: the machines that run this may be slow.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    // Most of them wait. `freePort` has ports for four.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
  },
});
