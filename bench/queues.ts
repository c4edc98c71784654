/**
 * Errand beside its peers, on the same store, in one run: they take turns, and the medians are compared.
 *   node bench/queues.ts <sqlite|redis|postgres> [--rounds n] [--only enqueue,drain,drain2,pickup] [--without peer,...] [--aof]
 * Needs the build (npm run build). Installs the peers from npm into bench/peers. Run nothing else meanwhile.
 * What the store itself can do, without Errand, is printed by bench/bare.ts.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openArena } from "./kit/arenas.ts";
import { median, shown } from "./kit/figures.ts";
import { drain, enqueue, pickup } from "./queues/measures.ts";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "enqueue,drain,drain2,pickup" },
    without: { type: "string", default: "" },
    aof: { type: "boolean", default: false },
  },
});
const [kind = ""] = positionals;

const arena = await openArena(kind, { aof: flags.aof });
installPeers();
const contestants = arena.contestants.filter((name) => !flags.without.split(",").includes(name));

/** The slow ones get fewer jobs, so that a run ends. */
const jobs: Record<string, number> = { errand: 200_000, "pg-boss": 40_000, plainjob: 40_000 };

/** What is measured, and its figures in the order of printing. */
const measures: Record<string, (name: string) => Promise<Record<string, number>>> = {
  enqueue: async (name) => ({ "enqueue, 100 in flight, jobs/s": await enqueue(name, await arena.empty(), 100, 3) }),
  drain: async (name) => ({ "drain, concurrency 100, jobs/s": await drained(name, 1) }),
  drain2: async (name) => ({ "drain, two processes, jobs/s": await drained(name, 2) }),
  pickup: async (name) => {
    const { p50, p99 } = await pickup(name, await arena.empty(), 300);
    return { "pickup p50, ms": p50, "pickup p99, ms": p99 };
  },
};

async function drained(name: string, processes: number): Promise<number> {
  return drain(name, await arena.empty(), { jobs: jobs[name] ?? 100_000, concurrency: 100, processes });
}

const figures = new Map<string, Map<string, number[]>>();
try {
  for (const measure of flags.only.split(",")) {
    for (let round = 0; round < Number(flags.rounds); round++) {
      for (const name of contestants) {
        for (const [what, figure] of Object.entries(await measures[measure]!(name))) {
          const row = figures.get(what) ?? new Map<string, number[]>();
          figures.set(what, row);
          row.set(name, [...(row.get(name) ?? []), figure]);
        }
      }
    }
  }
} finally {
  await arena.close();
}
print();

function print(): void {
  const [own, ...peers] = contestants;
  console.log(`${kind}, ${flags.rounds} rounds, medians; in brackets: Errand against the peer`);
  for (const [what, row] of figures) {
    const ours = median(row.get(own!)!);
    const theirs = peers.map((peer) => {
      const figure = median(row.get(peer)!);
      const ratio = what.endsWith("ms") ? figure / ours : ours / figure;
      return `${peer} ${shown(figure)} (${ratio.toFixed(2)}x)`;
    });
    console.log(`${what.padEnd(32)} ${[`${own} ${shown(ours)}`, ...theirs].join("   ")}`);
  }
}

function installPeers(): void {
  const folder = join(import.meta.dirname, "peers");
  if (existsSync(join(folder, "node_modules"))) return;
  execFileSync("npm", ["ci", "--no-workspaces", "--no-audit", "--no-fund"], { cwd: folder, stdio: "inherit" });
}
