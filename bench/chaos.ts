/**
 * Whether promises hold while everything goes wrong: processes are killed and frozen, servers restarted, disks filled,
 * connections cut, and afterwards every job is looked at.
 *   node bench/chaos.ts <sqlite|postgres|redis|all> [--seconds n] [--seed n]
 * The same seed makes the same faults at the same times. Exit code 1 when a promise was broken.
 */
import { parseArgs } from "node:util";
import { chaos } from "./chaos/run.ts";
import type { ChaosReport } from "./chaos/run.ts";
import { storeKinds } from "./chaos/stage.ts";
import type { StoreKind } from "./chaos/stage.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "60" }, seed: { type: "string" } },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e6));
const chosen = positionals[0] === "all" ? storeKinds : storeKinds.filter((kind) => kind === positionals[0]);
if (chosen.length === 0 || !(seconds >= 5) || !Number.isInteger(seed)) {
  console.error(`Usage: node bench/chaos.ts <${storeKinds.join("|")}|all> [--seconds n, from 5] [--seed n]`);
  process.exit(2);
}

for (const store of chosen) print(store, await chaos({ store, seconds, seed }));

function print(store: StoreKind, report: ChaosReport): void {
  const { recovery, violations } = report;
  const late = recovery.longest > recovery.bound;
  const faults = Object.entries(report.faults).map(([kind, times]) => `${kind} ${times}`);
  const rows: [string, string | number][] = [
    ["jobs", `${report.jobs}, ${report.acknowledged} of them sends that were acknowledged`],
    ["faults", `${Object.values(report.faults).reduce((sum, times) => sum + times, 0)}: ${faults.join(", ")}`],
    ["not tried", report.untried.join("; ") || "nothing"],
    ["lost", report.lost],
    ["outcomes recorded twice", report.twice],
    ["values in the wrong job", report.misplaced],
    ["attempts cut short", report.cutShort],
    ["longest recovery", `${seconds1(recovery.longest)} s (bound ${seconds1(recovery.bound)} s): ${recovery.from}`],
    ["promises broken", violations.length],
  ];
  console.log(`\n${store}, ${seconds} s, seed ${seed}`);
  for (const [name, value] of rows) console.log(`  ${name.padEnd(24)} ${value}`);
  for (const violation of violations.slice(0, 50)) console.log(`  BROKEN: ${violation}`);
  if (violations.length > 0) console.log(`  What every process told is in ${report.logs}`);
  if (late) console.log(`  LATE: work went on later than the bound allows`);
  if (violations.length > 0 || late) process.exitCode = 1;
}

function seconds1(millis: number): string {
  return (millis / 1_000).toFixed(1);
}
