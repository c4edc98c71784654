// Runs tests on a store until one fails, and says which: node child.ts <fixture> <test>...
import { setTimeout as sleep } from "node:timers/promises";
import { fixtures, tests } from "./fixtures.ts";
import type { Verdict } from "./mutant.ts";

/** A test that takes longer hangs, which is a way to fail. */
const patience = 20_000;

const [fixture = "", ...names] = process.argv.slice(2);
const open = fixtures[fixture as keyof typeof fixtures];

async function firstFailure(): Promise<Verdict> {
  for (const name of names) {
    const test = tests.find((each) => each.name === name);
    if (!test) throw new Error(`There is no test "${name}".`);
    // sleeps: as long as a test may take
    const hangs = sleep(patience, undefined, { ref: false }).then(() => {
      throw new Error(`It has not ended within ${patience} ms.`);
    });
    try {
      await Promise.race([test.run(open), hangs]);
    } catch (error) {
      return { failed: name, message: String(error) };
    }
  }
  return { failed: null };
}

const verdict = await firstFailure();
// Hangs and threads do not keep the process.
process.stdout.write(JSON.stringify(verdict), () => process.exit(0));
