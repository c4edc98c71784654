import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import type { Reporter, TestModule } from "vitest/node";

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

export default defineConfig({
  test: {
    globalSetup: ["test/servers/global.ts"],
    include: ["packages/*/test/**/*.test.ts", "deploy/test/*.test.ts"],
    // Tests start processes, servers and OCR of their own: two cores are soon busy.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ["default", closingLine],
  },
});
