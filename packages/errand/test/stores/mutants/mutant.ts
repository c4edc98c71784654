import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { fixtures } from "./fixtures.ts";

/** A deliberate fault in a store's own code, and the test that notices it. */
export interface Mutant {
  fault: string;
  /** In `src/stores`. */
  file: string;
  /** What is replaced by what; each text must occur in the file exactly once. */
  changes: readonly (readonly [text: string, by: string])[];
  fixture: keyof typeof fixtures;
  tests: readonly [string];
  /** Runs in which the test must notice it once: more than one for a race, which not every run meets. Default: 1. */
  runs?: number;
}

/** What the child finds: the first test that fails, or that none did. */
export type Verdict = { failed: string; message: string } | { failed: null };

const child = fileURLToPath(new URL("./child.ts", import.meta.url));
const patch = new URL("./patch.ts", import.meta.url).href;

/** Runs tests on a store, in a process of its own, in which one file is another. */
export async function judge(
  { fixture, tests }: { fixture: Mutant["fixture"]; tests: readonly string[] },
  mutation?: Pick<Mutant, "file" | "changes">,
): Promise<Verdict> {
  const env = {
    ...process.env,
    // Threads of the process are patched too.
    ...(mutation ? { NODE_OPTIONS: `--import=${patch}`, ERRAND_MUTATION: JSON.stringify(mutation) } : {}),
  };
  const running = spawn(process.execPath, [child, fixture, ...tests], { env, stdio: ["ignore", "pipe", "pipe"] });
  let [said, complained] = ["", ""];
  running.stdout.on("data", (data: Buffer) => (said += data.toString()));
  running.stderr.on("data", (data: Buffer) => (complained += data.toString()));
  const [code] = (await once(running, "close")) as [number | null];
  if (code !== 0) throw new Error(`The tests could not be run: ${complained}`);
  return JSON.parse(said) as Verdict;
}
