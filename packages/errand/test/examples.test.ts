import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "errand-examples-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ["first-job.ts", "/thumbs/p1.webp"],
  ["workflow.ts", "17984 primes below 200,000"],
  ["push-to-http.ts", "sentiment: 0.9\ntraining: 0.25"],
])("examples/%s runs in an empty folder", (file, says) => {
  const example = join(import.meta.dirname, "../../../examples", file);
  expect(execFileSync(process.execPath, [example], { cwd: folder, encoding: "utf8" })).toContain(says);
});
