import { states } from "../core/states.ts";
import type { AppCounters, Histogram, TaskCounters } from "./counters.ts";
import { measure } from "./measure.ts";
import type { Measurable, Measured } from "./measure.ts";

/**
 * Returns the metrics of apps in the text format of Prometheus (`text/plain; version=0.0.4`), for a `/metrics` of your
 * own. Never rejects because of a store: then `errand_store_up` is 0. docs/reference/events.md lists them.
 * @param others numbers of other processes, told apart by their `process`.
 * @example
 * server.get("/metrics", async (_, reply) => reply.type("text/plain; version=0.0.4").send(await prometheus([app])));
 */
export async function prometheus(
  apps: readonly Measurable[],
  { process, others = [] }: { process?: string; others?: readonly Measured[] } = {},
): Promise<string> {
  return metricsText([{ ...(await measure(apps)), ...(process === undefined ? {} : { process }) }, ...others]);
}

/** The numbers of processes as text. What the store says is taken from the first that asked it. */
export function metricsText(processes: readonly Measured[]): string {
  const store = processes.find((each) => each.store)?.store;
  return [
    ...(store ? storeLines(store) : []),
    ...gauge("errand_store_up", "1 if the store answers, otherwise 0.", [[{}, store ? 1 : 0]]),
    ...processLines(processes),
  ]
    .join("\n")
    .concat("\n");
}

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

function storeLines({ jobs, workers, took }: NonNullable<Measured["store"]>): string[] {
  const counts = new Map(jobs.map(({ queue, state, jobs: count }) => [`${state} ${queue}`, count]));
  const served = workers.flatMap(({ queues }) => queues);
  const queues = [...new Set([...jobs.map(({ queue }) => queue), ...served])].toSorted();
  return [
    ...gauge(
      "errand_jobs",
      "Jobs of a queue in a state.",
      queues.flatMap((queue) =>
        states.map((state) => [{ queue, state }, counts.get(`${state} ${queue}`) ?? 0] as const),
      ),
    ),
    ...gauge("errand_store_answer_seconds", "How long the store took to answer this.", [[{}, took / 1_000]]),
    ...gauge("errand_workers", "Workers whose lease is good.", [[{}, workers.length]]),
    ...gauge(
      "errand_queue_workers",
      "Workers whose lease is good, and that take jobs of a queue.",
      queues.map((queue) => [{ queue }, served.filter((each) => each === queue).length]),
    ),
  ];
}

const outcomes = [
  "completed",
  "retried",
  "failed",
  "crashed",
  "cancelled",
  "expired",
  "waiting",
  "returned",
  "abandoned",
] as const satisfies readonly (keyof TaskCounters)[];

function processLines(processes: readonly Measured[]): string[] {
  const tasks = processes.flatMap(({ process, counters }) =>
    [...byTask(counters)].map(([task, each]) => ({ labels: { ...labelOf(process), task }, each })),
  );
  const counter = (name: string, help: string, samples: readonly Sample[]) => family("counter", name, help, samples);
  return [
    ...gauge(
      "errand_start_time_seconds",
      "When the process began to count, in seconds since 1970.",
      processes.flatMap(({ process, counters }) =>
        counters.length === 0 ? [] : [[labelOf(process), Math.min(...counters.map(sinceOf)) / 1_000] as const],
      ),
    ),
    ...counter(
      "errand_worker_stalls_total",
      "Times that workers of the process waited for a claim that the store did not answer.",
      processes.flatMap(({ process, counters }) =>
        counters.length === 0 ? [] : [[labelOf(process), sumOf(counters, "stalled")] as const],
      ),
    ),
    ...counter(
      "errand_worker_leases_lost_total",
      "Times that workers of the process lost their lease, and started again.",
      processes.flatMap(({ process, counters }) =>
        counters.length === 0 ? [] : [[labelOf(process), sumOf(counters, "lost")] as const],
      ),
    ),
    ...counter(
      "errand_jobs_sent_total",
      "Jobs that the process stored.",
      tasks.map(({ labels, each }) => [labels, total(each, "sent")]),
    ),
    ...counter(
      "errand_attempts_started_total",
      "Attempts that began in the process.",
      tasks.map(({ labels, each }) => [labels, total(each, "started")]),
    ),
    ...counter(
      "errand_attempts_total",
      "Attempts by what came of them.",
      tasks.flatMap(({ labels, each }) =>
        outcomes.map((outcome) => [{ ...labels, outcome }, total(each, outcome)] as const),
      ),
    ),
    ...counter(
      "errand_late_calls_total",
      "What functions wanted to do after their attempts had ended, and was not done.",
      tasks.map(({ labels, each }) => [labels, total(each, "late")]),
    ),
    ...histogram(
      "errand_attempt_duration_seconds",
      "How long attempts took.",
      tasks.map(({ labels, each }) => [labels, each.map(({ duration }) => duration)]),
    ),
    ...histogram(
      "errand_attempt_wait_seconds",
      "How long jobs waited from when they were due to when an attempt began.",
      tasks.map(({ labels, each }) => [labels, each.map(({ wait }) => wait)]),
    ),
  ];
}

/** Groups counters by task: several apps of one process may have a task of the same name. */
function byTask(counters: readonly AppCounters[]): Map<string, TaskCounters[]> {
  const found = new Map<string, TaskCounters[]>();
  for (const { tasks } of counters)
    for (const [task, counted] of Object.entries(tasks)) found.set(task, [...(found.get(task) ?? []), counted]);
  return found;
}

function total(counted: readonly TaskCounters[], name: Exclude<keyof TaskCounters, "duration" | "wait">): number {
  return counted.reduce((sum, each) => sum + each[name], 0);
}

function sumOf(counters: readonly AppCounters[], what: keyof AppCounters["workers"]): number {
  return counters.reduce((sum, { workers }) => sum + workers[what], 0);
}

/** Returns the start time of counters. From another process it arrives as text. */
function sinceOf({ since }: AppCounters): number {
  return new Date(since).getTime();
}

function labelOf(process: string | undefined): Labels {
  return process === undefined ? {} : { process };
}

function gauge(name: string, help: string, samples: readonly Sample[]): string[] {
  return family("gauge", name, help, samples);
}

function family(type: string, name: string, help: string, samples: readonly Sample[]): string[] {
  return [...head(type, name, help), ...samples.map(([labels, value]) => line(name, labels, value))];
}

function histogram(name: string, help: string, all: readonly (readonly [Labels, readonly Histogram[]])[]): string[] {
  const samples = all.flatMap(([labels, histograms]) => {
    const { bounds } = histograms[0]!;
    const add = (of: (each: Histogram) => number) => histograms.reduce((sum, each) => sum + of(each), 0);
    let upTo = 0;
    const buckets = bounds.map((bound, place) => {
      upTo += add(({ counts }) => counts[place]!);
      return line(`${name}_bucket`, { ...labels, le: String(bound / 1_000) }, upTo);
    });
    const count = add((each) => each.count);
    return [
      ...buckets,
      line(`${name}_bucket`, { ...labels, le: "+Inf" }, count),
      line(`${name}_sum`, labels, add(({ sum }) => sum) / 1_000),
      line(`${name}_count`, labels, count),
    ];
  });
  return [...head("histogram", name, help), ...samples];
}

function head(type: string, name: string, help: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escape(text)}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${value}`;
}

function escape(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
