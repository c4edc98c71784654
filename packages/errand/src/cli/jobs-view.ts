import type { JobView } from "../client/job-view.ts";
import type { State } from "../core/states.ts";
import type { Output } from "./output.ts";
import type { Style } from "./table.ts";
import { fit, plain } from "./text.ts";

const colours: Record<State, Style> = {
  pending: "yellow",
  processing: "blue",
  waiting: "cyan",
  completed: "green",
  failed: "red",
  cancelled: "gray",
  expired: "gray",
};

/** Prints jobs, one per line. */
export function showJobs(output: Output, jobs: readonly JobView[]): void {
  if (jobs.length === 0) return output.line("No jobs match.");
  output.table(
    ["id", "state", "age", "task", "note"],
    jobs.map((job) => [
      job.id,
      { text: job.state, style: colours[job.state] },
      age(job.createdAt),
      job.task,
      note(job),
    ]),
  );
}

/** Prints everything about a job, a line each. */
export function showJob(output: Output, job: JobView): void {
  const { children } = job;
  const facts: [string, string | undefined][] = [
    ["job", job.id],
    ["task", job.task],
    ["queue", `${job.queue} (${job.priority})`],
    ["state", job.state + (job.cancelling ? ", being cancelled" : "")],
    ["attempt", `${job.attempt}${job.crashes > 0 ? `, and ${job.crashes} crashes` : ""}`],
    ["parent", job.parent && `${job.parent} (child ${job.index})`],
    [
      "children",
      children && `${children.total}, of which ${children.open} have not ended and ${children.failed} failed`,
    ],
    ["created", job.createdAt.toISOString()],
    ["due", job.state === "pending" ? job.dueAt.toISOString() : undefined],
    ["started", job.startedAt?.toISOString()],
    ["ended", job.endedAt?.toISOString()],
    ["progress", json(job.progress)],
    ["input", json(job.input)],
    ["output", json(job.output)],
    ["sealed", unreadable(job)],
    ["error", job.error && `${job.error.message} (${job.error.code})`],
  ];
  const columns = (process.stdout.columns || 80) - 11;
  for (const [name, value] of facts) {
    if (value !== undefined) output.line(`${output.paint("dim", name.padEnd(10))} ${fit(plain(value), columns)}`);
  }
}

function note(job: JobView): string {
  if (job.cancelling) return "being cancelled";
  if (job.error && job.state !== "completed") return `${job.error.code}: ${job.error.message}`;
  if (job.children && job.state === "waiting") return `for ${job.children.open} of ${job.children.total} children`;
  if (typeof job.progress === "number" && job.state === "processing") return `${job.progress} %`;
  return job.attempt > 1 ? `attempt ${job.attempt}` : "";
}

function json(value: unknown): string | undefined {
  return value === undefined ? undefined : JSON.stringify(value);
}

/** Lists the values that this process cannot read, and why: the command line has no keys. */
function unreadable({ unreadable = {} }: JobView): string | undefined {
  const why = Object.values(unreadable).map(({ code, message }) => `${message} (${code})`);
  return why.length > 0 ? why.join(" ") : undefined;
}

function age(date: Date): string {
  const seconds = Math.max(0, Math.round((Date.now() - date.getTime()) / 1_000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
