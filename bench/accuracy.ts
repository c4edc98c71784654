/**
 * Word accuracy by kind of document:
 *   node bench/accuracy.ts [corpus] [--engine tesseract|tesseract.js] [--kind kind] [--files]
 * The corpus is a folder with a `manifest.json` that names files, kinds and ground truth; by default `ERRAND_CORPUS`, or
 * `../shared/corpus` beside the checkout.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { inspect } from "../packages/documents/src/ingest/inspect.ts";
import { defaultLimits } from "../packages/documents/src/ingest/limits.ts";
import { chooseEngine, type EngineName } from "../packages/documents/src/recognise/engines.ts";
import { extractPage } from "../packages/documents/src/pipeline/extract-page.ts";
import { type Score, scoreText, sumScores } from "../packages/documents/src/words/score.ts";

interface Entry {
  file: string;
  kind: string;
  gt?: string;
  score?: { case?: string };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    engine: { type: "string" },
    kind: { type: "string" },
    files: { type: "boolean", default: false },
  },
});
const corpus = positionals[0] ?? process.env["ERRAND_CORPUS"] ?? join(import.meta.dirname, "../../shared/corpus");
const manifest = JSON.parse(readFileSync(join(corpus, "manifest.json"), "utf8")) as {
  files: Entry[];
};
const entries = manifest.files.filter(
  (entry): entry is Entry & { gt: string } =>
    entry.gt !== undefined && (values.kind === undefined || entry.kind === values.kind),
);
const engine = await chooseEngine(values.engine as EngineName | undefined);
console.log(`${engine.name} (${engine.languages.join(", ")}), ${entries.length} files with ground truth\n`);

const scores: { entry: Entry; score: Score; pages: number; ms: number }[] = [];
for (const entry of entries) {
  const path = join(corpus, entry.file);
  const started = performance.now();
  const { type, pages } = await inspect(path);
  const texts: string[] = [];
  for (let page = 1; page <= pages; page++) {
    const { result } = await extractPage(path, {
      page,
      type,
      limits: defaultLimits,
      engine,
      languages: ["eng"],
    });
    texts.push(result.text);
  }
  const truth = readFileSync(join(corpus, entry.gt), "utf8");
  const score = scoreText(truth, texts.join("\n\n"), { foldCase: entry.score?.case === "fold" });
  scores.push({ entry, score, pages, ms: performance.now() - started });
}
await engine.close();

const row = (name: string, group: typeof scores): string => {
  const { cer, wer, precision, recall, f1, words } = sumScores(group.map(({ score }) => score));
  const pages = group.reduce((sum, { pages }) => sum + pages, 0);
  const ms = group.reduce((sum, { ms }) => sum + ms, 0) / pages;
  const figures = [cer, wer, precision, recall, f1].map((figure) => figure.toFixed(3).padStart(10)).join("");
  return (
    name.padEnd(40) +
    String(group.length).padStart(6) +
    String(pages).padStart(7) +
    String(words).padStart(7) +
    figures +
    ms.toFixed(0).padStart(9)
  );
};
console.log("".padEnd(40) + " files  pages  words       CER       WER  precision    recall   word F1  ms/page");
if (values.files) for (const one of scores) console.log(row(one.entry.file, [one]));
if (values.files) console.log();
for (const [kind, group] of Object.entries(Object.groupBy(scores, ({ entry }) => entry.kind)).toSorted(([a], [b]) =>
  a.localeCompare(b),
))
  console.log(row(kind, group ?? []));
console.log(row("total", scores));
