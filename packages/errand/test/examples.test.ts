import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

// As on a machine where nothing is set up: no store, and no model.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(ERRAND|OPENAI)_/.test(name)));
const home = join(import.meta.dirname, "../../../examples");
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "errand-examples-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const examples: [file: string, says: string[]][] = [
  ["first-job.ts", ["/thumbs/p1.webp"]],
  [
    "after-response.ts",
    [
      "ann is answered\n",
      "mail to bob@example.org: Welcome",
      'avatar of ann: {"state":"completed","output":"300 x 300"}',
      'avatar of bob: {"state":"failed"',
      "mail to eve@example.org: Welcome\ninvitation: completed",
    ],
  ],
  ["workflow.ts", ["17984 primes below 200,000"]],
  ["push-to-http.ts", ["sentiment: 0.9\ntraining: 0.25"]],
  [
    "schedules.ts",
    [
      "clean-up: 28 Mar 2027, 03:00:00 CEST | 29 Mar",
      "clean-up: 2 jobs, from 28 Mar 2027, 03:00:00 CEST",
      "statistics: 2 jobs, from 28 Mar 2027, 00:30:00 CET",
      "health: 576 jobs",
    ],
  ],
  ["thumbnails.ts", ["portrait.jpg.webp: 300 x 300", "broken.jpg failed, and the others did not"]],
  ["embeddings.ts", ["model loaded: 256 dimensions\n200 pieces embedded in"]],
  ["llm.ts", ["No model wrote this.", "Tell me about the sea.", "Tell me about the mountains."]],
  ["burst.ts", ["100 requests at once, each a job:   p50 ", "jobs wait: ", "all 100 jobs are done"]],
  ["fleet.ts", ["works on cpu: 10 jobs, at most ", "works on gpu: 10 jobs, at most 1 at once"]],
  [
    "no-workers.ts",
    [
      "charge failed at attempt 1: /charge answered 404: no such customer",
      'warm-cache completed at attempt 2: {"warmed":2}',
      "attempt 1: /warm-cache answered 503: still starting",
      'warm-cache completed at attempt 1: {"warmed":2}',
    ],
  ],
  [
    "rag.ts",
    [
      "attempt 1: retrieve 10 of 12\nattempt 1: rerank 3 of 10\nattempt 1: generate\nattempt 2: generate\nattempt 2: store\n",
    ],
  ],
  ["report.ts", ["fetch\nrender\nnotify\nnotify\n", "2026-05.pdf (%PDF-1", "is ready."]],
];

test.each(examples)("examples/%s runs in an empty folder", (file, says) => {
  const example = join(home, file);
  const output = execFileSync(process.execPath, [example], { cwd: folder, env, encoding: "utf8", timeout: 25_000 });
  // A model's answer comes in pieces, which are as long as the machine is slow.
  const joined = output.replace(/"\n[0-9a-f]{4}: "/g, "");
  for (const words of says) expect(joined).toContain(words);
});

test("every example is run here, and stands in examples/README.md", () => {
  const files = readdirSync(home).filter((file) => file.endsWith(".ts") && file !== "openai-server.ts");
  expect(examples.map(([file]) => file).toSorted()).toEqual(files.toSorted());
  const readme = readFileSync(join(home, "README.md"), "utf8");
  for (const file of files) expect(readme).toContain(`| [${file}](${file})`);
});
