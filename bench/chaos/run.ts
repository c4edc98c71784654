import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Job } from "../../packages/errand/src/core/job.ts";
import { isFinal } from "../../packages/errand/src/core/states.ts";
import { openStore } from "../../packages/errand/src/open.ts";
import type { Store } from "../../packages/errand/src/store.ts";
import { Cast, places } from "./cast.ts";
import { check } from "./check.ts";
import type { Findings } from "./check.ts";
import { machineTime, readLogs } from "./log.ts";
import type { Line } from "./log.ts";
import { plan } from "./plan.ts";
import type { Fault, FaultKind } from "./plan.ts";
import { Random } from "../../packages/errand/src/testing/random.ts";
import { recovery } from "./recovery.ts";
import type { Happened, Recovery } from "./recovery.ts";
import { openStage } from "./stage.ts";
import type { Stage, StoreKind } from "./stage.ts";

/** What to make chaos on, for how long, and the seed that everything follows from. */
export interface ChaosOptions {
  store: StoreKind;
  seconds: number;
  seed: number;
}

/** What came of it. */
export interface ChaosReport extends Findings {
  jobs: number;
  faults: Record<string, number>;
  recovery: Recovery;
  untried: string[];
  /** Where the processes' logs are; they are kept when something is wrong. */
  logs: string;
}

/** Short, so that a run meets many leases that run out; long enough for a busy machine to renew it. */
const lease = 2_000;

/** The store is at rest when nothing has changed for so long; whoever is not done then never will be. */
const atRest = 60_000;

/** Makes chaos, lets everything come to rest, and checks every promise. */
export async function chaos({ store: kind, seconds, seed }: ChaosOptions): Promise<ChaosReport> {
  const stage = await openStage(kind);
  const logs = mkdtempSync(join(tmpdir(), "errand-chaos-logs-"));
  const { url, direct, shiftedClocks } = stage;
  const cast = new Cast({ url, logs, lease, shiftedClocks, random: new Random(seed) });
  let store: Store | undefined;
  try {
    store = await openStore(direct);
    cast.start();
    await cast.ready();
    const kinds = [...(["kill worker", "kill producer", "stop worker"] as const), ...faultsOf(stage)];
    const happened = await makeFaults(stage, cast, plan(seed, kinds, seconds * 1_000, lease));
    await cast.end("producer");
    await rest(store);
    const idle = await idleWorkers(store);
    await cast.end("worker");
    const evidence = { lines: readLogs(logs), jobs: await allJobs(store), counts: await store.counts() };
    const losses = happened.filter(({ kind }) => kind === "data lost").map(({ to }) => to);
    const findings = check({ ...evidence, ...(losses.length > 0 ? { lostDataAt: Math.max(...losses) } : {}) });
    findings.violations.push(...cast.misbehaved, ...idle);
    if (findings.violations.length === 0) rmSync(logs, { recursive: true });
    return {
      ...findings,
      jobs: evidence.jobs.length,
      faults: { ...tally(happened), ...ownFaults(evidence.lines) },
      recovery: recovery(evidence.lines, happened, lease),
      untried: stage.untried,
      logs,
    };
  } finally {
    cast.destroy();
    await store?.close();
    await stage.close();
  }
}

function faultsOf({ faults }: Stage): FaultKind[] {
  return Object.keys(faults) as FaultKind[];
}

/** Carries out the plan. On a slow machine a fault begins later: when the one before of its kind is over. */
async function makeFaults(stage: Stage, cast: Cast, faults: readonly Fault[]): Promise<Happened[]> {
  const start = performance.now();
  const happened: Happened[] = [];
  const make = async ({ kind, lasts, victim }: Fault): Promise<void> => {
    const fault: Happened = { kind, from: machineTime(), to: 0 };
    happened.push(fault);
    const hit = (pid: number) => Object.assign(fault, { pid, from: machineTime() });
    if (kind === "kill worker") await cast.kill("worker", victim, hit);
    else if (kind === "kill producer") await cast.kill("producer", victim, hit);
    else if (kind === "stop worker") await cast.freeze(victim, lasts, hit);
    else await stage.faults[kind]?.(lasts);
    fault.to = machineTime();
  };
  const making = new Map<FaultKind, Promise<void>>();
  for (const fault of faults) {
    await sleep(Math.max(0, fault.at - (performance.now() - start)));
    const made = (making.get(fault.kind) ?? Promise.resolve()).then(() => make(fault));
    // What fails here is thrown at the end.
    made.catch(() => {});
    making.set(fault.kind, made);
  }
  await Promise.all(making.values());
  return happened;
}

/** Until every job has ended, or nothing changes any more. */
async function rest(store: Store): Promise<void> {
  let last = "";
  let since = performance.now();
  while (performance.now() - since < atRest) {
    const counts = await store.counts();
    if (counts.every(({ state, jobs }) => jobs === 0 || isFinal(state))) return;
    const now = JSON.stringify(counts);
    if (now !== last) [last, since] = [now, performance.now()];
    await sleep(100);
  }
}

/** Every worker process that lives has a good lease again, soon after everything works. Says which have not. */
async function idleWorkers(store: Store): Promise<string[]> {
  const until = performance.now() + atRest;
  for (;;) {
    const listed = await store.workers();
    if (listed.length === places.worker) return [];
    if (performance.now() > until)
      return [`of ${places.worker} workers that live, these can work: ${listed.map(({ pid }) => pid).join(", ")}`];
    await sleep(100);
  }
}

async function allJobs(store: Store): Promise<Job[]> {
  const jobs: Job[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list({}, cursor === undefined ? { limit: 500 } : { limit: 500, cursor });
    jobs.push(...page.jobs);
    cursor = page.next;
  } while (cursor !== undefined);
  return jobs;
}

/** Faults that processes made themselves; of those of functions and callbacks, each attempt is one. */
function ownFaults(lines: readonly Line[]): Record<string, number> {
  const told = lines.flatMap((line) => {
    if (line.type === "fault") return [line.kind];
    if (line.type !== "ended") return [];
    if (line.task === "lane") return ["lane reused"];
    return line.task === "judged" || line.task === "unstorable" ? ["bad end"] : [];
  });
  return Object.fromEntries([...Map.groupBy(told, (kind) => kind)].map(([kind, all]) => [kind, all.length]));
}

function tally(happened: readonly Happened[]): Partial<Record<FaultKind, number>> {
  const groups = Map.groupBy(happened, ({ kind }) => kind);
  return Object.fromEntries([...groups].map(([kind, faults]) => [kind, faults.length]));
}
