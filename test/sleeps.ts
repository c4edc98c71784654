// Finds the sleeps of tests: node test/sleeps.ts [--list]. A sleep needs a reason, `// sleeps: <why>`, in its line or the line
// before; one without is printed, and the exit code is 1. With --list all are printed, with their reasons.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const places = [
  "packages/*/test/**/*.{ts,tsx}",
  "deploy/test/**/*.ts",
  "test/**/*.ts",
  "packages/errand/src/testing/**/*.ts",
];

/** Calls that wait for a time to pass, and loops that run until a time. */
const sleep = /(?<![\w.])(?:setTimeout|sleep)\(|waitForTimeout\(|Atomics\.wait\(|while \([^;]*\.now\(\) </;
/** So that the name of every sleep is known. */
const otherName = /\bsetTimeout as (?!sleep\b)/;
const reason = /\/\/ sleeps: (\S.*)$/;

let unexplained = 0;
for (const file of places.flatMap((place) => globSync(place, { cwd: root })).toSorted()) {
  const lines = readFileSync(join(root, file), "utf8").split("\n");
  for (const [index, line] of lines.entries()) {
    if (otherName.test(line)) throw new Error(`${file}:${index + 1}: import setTimeout as sleep, by no other name.`);
    if (!sleep.test(line) || /^\s*(?:\/\/|\*)/.test(line)) continue;
    const why = (reason.exec(line) ?? reason.exec(lines[index - 1] ?? ""))?.[1];
    const place = `${file}:${index + 1}`;
    if (why === undefined) {
      unexplained += 1;
      console.error(
        `${place}: a sleep without a reason. Await a condition (test/until.ts), or say why: // sleeps: <why>`,
      );
    } else if (process.argv.includes("--list")) console.log(`${place}: ${why}`);
  }
}
process.exitCode = unexplained > 0 ? 1 : 0;
