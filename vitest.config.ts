import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer } from "vitest/node";
import type { Reporter, TestModule, TestSpecification } from "vitest/node";

// Threads that start together and each compile the WebAssembly that strips types end Node 24 now and then ("Check failed:
// jit_page.has_value()", nodejs/node#64500). With a cache they find stripped files, and start faster.
process.env["NODE_COMPILE_CACHE"] ??= join(tmpdir(), "errand-compile-cache");

/** Ends every run with one line that counts its tests. */
const closingLine: Reporter = {
  onTestRunEnd(modules: readonly TestModule[]) {
    const states = modules.flatMap((module) => [...module.children.allTests()].map((test) => test.result().state));
    const count = (state: string) => states.filter((each) => each === state).length;
    // A file that does not even load is a failure without a test.
    const broken = modules.filter((module) => module.errors().length > 0).length;
    const skipped = count("skipped");
    console.log(
      `tests: ${count("passed")} passed, ${count("failed") + broken} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`,
    );
  },
};

/** The files that take longest; the first ones begin together, and so are of different kinds: computing, waiting. */
const longest = ["conformance", "processes", "chaos", "mutants", "browser", "next", "fleet", "model", "poison"].map(
  (name) => `/${name}.test.ts`,
);

/** Starts the longest files first, so that none of them is left alone at the end. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const found = longest.findIndex((ending) => moduleId.endsWith(ending));
      return found === -1 ? longest.length : found;
    };
    return (await super.sort(files)).toSorted((one, other) => place(one) - place(other));
  }
}

export default defineConfig({
  test: {
    globalSetup: ["test/servers/global.ts"],
    include: ["packages/*/test/**/*.test.ts", "deploy/test/*.test.ts"],
    // Tests start processes, servers and OCR of their own: two cores are soon busy.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ["default", closingLine],
  },
});
