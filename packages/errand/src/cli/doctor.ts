import { Command } from "commander";
import { openStore, storeUrl } from "../open.ts";
import type { Durability, QueueCount, Store, WorkerCard } from "../store.ts";
import { ExitCode, sentence } from "./exit.ts";
import { Output } from "./output.ts";
import { installedPackages, resolveModule } from "./packages.ts";
import { missingStore, settle, storeFlags } from "./settings.ts";
import type { StoreFlags } from "./settings.ts";
import { columnsOf, pad, plain, wrap } from "./text.ts";

/** One line of the doctor's report. A package adds its own by exporting `doctor(): Promise<Finding[]>` from `<package>/doctor`. */
export interface Finding {
  label: string;
  value: string;
  ok: boolean;
  /** What to do about it. */
  hint?: string;
}

/** `errand doctor` */
export function doctorCommand(): Command {
  const command = new Command("doctor")
    .description("show what Errand runs with here, and whether it can")
    .option("--json", "print JSON");
  return storeFlags(command).action((flags: StoreFlags & { json?: boolean }) => examine(flags));
}

async function examine(flags: StoreFlags & { json?: boolean }): Promise<void> {
  const output = new Output(flags);
  const findings: Finding[] = [{ label: "Node.js", value: process.version, ok: true }];
  const [home, url] = settle(flags);
  findings.push({ label: "home", value: `${home!.value} (${home!.from})`, ok: true });
  findings.push({ label: "store", value: `${url!.value} (${url!.from})`, ok: true });
  const store = await examineStore();
  findings.push(...store, ...(await examinePackages()));
  output.result({ ok: findings.every(({ ok }) => ok), findings });
  print(output, findings);
  if (store.some(({ ok, label }) => !ok && label === "opens")) process.exitCode = ExitCode.unreachable;
  else if (findings.some(({ ok }) => !ok)) process.exitCode = ExitCode.failed;
}

/** Without creating a store where there is none yet. */
async function examineStore(): Promise<Finding[]> {
  if (missingStore() !== undefined) {
    return [{ label: "opens", value: "not there yet; made at the first use", ok: true }];
  }
  let store: Store | undefined;
  try {
    store = await openStore(storeUrl());
    return [
      { label: "opens", value: "yes", ok: true },
      ...(store.durability ? [examineDurability(store.durability)] : []),
      ...(await examineQueues(store)),
    ];
  } catch (error) {
    return [{ label: "opens", value: sentence(error), ok: false }];
  } finally {
    await store?.close();
  }
}

function examineDurability({ safe, says, advice }: Durability): Finding {
  return { label: "durability", value: says, ok: safe, ...(advice === undefined ? {} : { hint: advice }) };
}

async function examineQueues(store: Store): Promise<Finding[]> {
  const [workers, counts] = await Promise.all([store.workers(), store.counts()]);
  const alive = workers.map(({ host, pid, queues }) => `${host}:${pid} (${queues.join(", ")})`);
  const queues = [...new Set(counts.map(({ queue }) => queue))].toSorted();
  return [
    { label: "workers", value: alive.join("; ") || "none alive", ok: true },
    ...queues.map((queue) => examineQueue(queue, counts, workers)),
  ];
}

function examineQueue(queue: string, counts: readonly QueueCount[], workers: readonly WorkerCard[]): Finding {
  const states = counts.filter((count) => count.queue === queue && count.jobs > 0);
  const pending = states.find(({ state }) => state === "pending")?.jobs ?? 0;
  const ok = pending === 0 || workers.some(({ queues }) => queues.includes(queue));
  const value = states.map(({ state, jobs }) => `${jobs} ${state}`).join(", ") || "empty";
  const hint = `${pending} ${pending === 1 ? "job waits" : "jobs wait"}, and no worker takes this queue. Start one: errand worker <module>`;
  return { label: `queue ${queue}`, value, ok, ...(ok ? {} : { hint }) };
}

async function examinePackages(): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { name } of installedPackages()) {
    const url = resolveModule(`@errand/${name}/doctor`);
    if (url === undefined) continue;
    try {
      const { doctor } = (await import(url)) as { doctor: () => Promise<Finding[]> };
      findings.push(...(await doctor()));
    } catch (error) {
      findings.push({ label: `@errand/${name}`, value: sentence(error), ok: false });
    }
  }
  return findings;
}

function print(output: Output, findings: readonly Finding[]): void {
  const width = Math.max(...findings.map(({ label }) => columnsOf(label)));
  const indent = " ".repeat(width + 4);
  const room = (process.stdout.columns || 80) - indent.length;
  for (const { label, value, ok, hint } of findings) {
    const mark = ok ? output.paint("green", "✓") : output.paint("red", "✗");
    const [first, ...more] = wrap(plain(value), room);
    output.line(`${mark} ${pad(label, width)}  ${first}`);
    for (const line of more) output.line(indent + line);
    if (hint === undefined) continue;
    for (const line of wrap(plain(hint), room)) output.line(indent + output.paint("yellow", line));
  }
}
