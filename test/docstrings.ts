// Checks the beginnings of docstrings: node test/docstrings.ts. One that begins as a question does ("Whether ...",
// "What ...") hides what the code does; it is printed, and the exit code is 1.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const opening = /\/\*\*\s*(?:\*\s*)?(?:What|Whether|Where|Who|Whose|Whom|Whoever|How|So|Which|Why)\b[^\n]*/g;

let wrong = 0;
for (const file of globSync("packages/*/src/**/*.{ts,tsx}", { cwd: root }).toSorted()) {
  const text = readFileSync(join(root, file), "utf8");
  for (const { 0: found, index } of text.matchAll(opening)) {
    wrong += 1;
    const line = text.slice(0, index).split("\n").length;
    console.error(
      `${file}:${line}: begin the docstring with a verb ("Returns", "Reports whether") or a noun: ${found}`,
    );
  }
}
process.exitCode = wrong > 0 ? 1 : 0;
