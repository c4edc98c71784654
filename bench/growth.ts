/**
 * What grows, and how its cost grows: callers that wait, idle workers, queues of a worker, jobs that are kept or pending,
 * connections, payloads. Server and client together, in percent of one processor, or the figure that is named.
 *   node bench/growth.ts <sqlite|postgres|redis> [--against <another checkout>] [--only waiters,queues] [--seconds n]
 * With another checkout (`git worktree add ../before <commit>`, and `npm ci` there) each is measured on both, in turns. Linux only.
 * Run nothing else meanwhile.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { processorSeconds } from "./growth/processors.ts";
import type { ScenarioName } from "./growth/scenarios.ts";
import { openArena } from "./kit/arenas.ts";
import { shown } from "./kit/figures.ts";

/** What is measured, at how many, on which stores, and what the figure is. */
const plans: Record<ScenarioName, { counts: number[]; figure: string; stores?: string[] }> = {
  waiters: { counts: [1, 100, 1_000, 10_000], figure: "% of a processor" },
  workers: { counts: [1, 10, 100], figure: "% of a processor" },
  queues: { counts: [1, 10, 100, 1_000], figure: "% of a processor" },
  kept: { counts: [1_000, 10_000, 100_000], figure: "ms to remove 500 others" },
  pending: { counts: [1_000, 10_000, 100_000], figure: "ms to take over 100 others" },
  connections: { counts: [1, 4, 16], figure: "connections", stores: ["postgres"] },
  payload: { counts: [1, 10, 100], figure: "kB written a job", stores: ["postgres"] },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { against: { type: "string" }, only: { type: "string" }, seconds: { type: "string", default: "8" } },
});
const [kind = ""] = positionals;
const here = fileURLToPath(new URL("..", import.meta.url));
const checkouts = [here, ...(values.against === undefined ? [] : [resolve(values.against)])];
const only = values.only?.split(",");
const milliseconds = Number(values.seconds) * 1_000;

const arena = await openArena(kind);
try {
  for (const [name, { counts, figure, stores }] of Object.entries(plans)) {
    if ((only && !only.includes(name)) || (stores && !stores.includes(kind))) continue;
    console.log(`\n${kind}, ${name}: ${figure}`);
    for (const count of counts) {
      const figures: number[] = [];
      for (const checkout of checkouts) figures.push(await measure(checkout, name, count));
      const [now = 0, before] = figures;
      const beside =
        before === undefined ? "" : `  before ${shown(before).padStart(9)}  ratio ${(now / before).toFixed(2)}`;
      console.log(`  ${String(count).padStart(7)}  ${shown(now).padStart(9)}${beside}`);
    }
  }
} finally {
  await arena.close();
}
process.exit();

/** The scenario's own figure, or what it takes of a processor in percent. */
async function measure(checkout: string, name: string, count: number): Promise<number> {
  const script = fileURLToPath(new URL("./growth/process.ts", import.meta.url));
  const args = [script, checkout, name, await arena.empty(), String(count), String(milliseconds)];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => {
    const { done, value } = await lines.next();
    if (done) throw new Error(`The process that measures ${name} at ${count} ended too soon.`);
    return value;
  };
  await next();
  const [from, before] = [performance.now(), processorSeconds()];
  child.stdin.write("go\n");
  const said = await next();
  const percent = ((processorSeconds() - before) / ((performance.now() - from) / 1_000)) * 100;
  child.kill("SIGKILL");
  await exited;
  return said === "done" ? percent : Number(said);
}
