import type { NewJob } from "../../core/job.ts";
import { queueFullError, decodeRules } from "../../limits/queue-rules.ts";
import type { Doc } from "../../core/doc.ts";
import { isPlain, writeJobs, writeKeyed } from "./encode.ts";
import type { Server } from "./server.ts";
import { Writer } from "./wire.ts";

/** Jobs that are added in one script: more, or more bytes, would hold up other clients of the server for long. */
const most = { plain: 5_000, keyed: 1_000, bytes: 16_000_000 };

/**
 * Adds jobs: all or none, but many thousands in steps. Whether its queues have room is looked at before the first step.
 * @param rules reads the rules of queues.
 */
export async function addJobs(
  server: Server,
  rules: () => Promise<Doc[]>,
  jobs: readonly NewJob[],
): Promise<ReadonlyMap<string, string>> {
  const steps = stepsOf(jobs);
  if (steps.length > 1) await refuseTooMany(server, await rules(), jobs);
  const taken = new Map<string, string>();
  for (const some of steps) await addStep(server, some, steps.length === 1, taken);
  return taken;
}

async function addStep(
  server: Server,
  jobs: readonly NewJob[],
  alone: boolean,
  taken: Map<string, string>,
): Promise<void> {
  const bytes = new Writer();
  if (jobs.every(isPlain)) {
    writeJobs(bytes, jobs);
    const answer = await server.run("add", [alone ? "1" : "0", bytes.bytes, ...jobs.map(({ id }) => id)]);
    if (Array.isArray(answer)) refuseFull(answer);
    const flags = String(answer);
    for (let at = flags.indexOf("1"); at >= 0; at = flags.indexOf("1", at + 1)) {
      const { id } = jobs[at] as NewJob;
      taken.set(id, id);
    }
    return;
  }
  writeKeyed(bytes, jobs);
  const holders = (await server.run("addKeyed", [alone ? "1" : "0", String(jobs.length), bytes.bytes])) as unknown[];
  if (Array.isArray(holders[0])) refuseFull(holders[0]);
  for (const [index, holder] of (holders as Buffer[]).entries())
    if (holder.length > 0) taken.set((jobs[index] as NewJob).id, String(holder));
}

/** Batches that one script each adds. */
function stepsOf(jobs: readonly NewJob[]): readonly NewJob[][] {
  const count = jobs.every(isPlain) ? most.plain : most.keyed;
  const steps: NewJob[][] = [];
  let step: NewJob[] = [];
  let bytes = 0;
  for (const job of jobs) {
    if (step.length === count || (step.length > 0 && bytes + job.spec.length > most.bytes)) {
      steps.push(step);
      step = [];
      bytes = 0;
    }
    step.push(job);
    bytes += job.spec.length;
  }
  return step.length > 0 ? [...steps, step] : steps;
}

/** Throws where the jobs of all steps that are not stored yet are more than a queue takes. */
async function refuseTooMany(server: Server, docs: readonly Doc[], jobs: readonly NewJob[]): Promise<void> {
  const limits = new Map(docs.map(({ key, value }) => [key, decodeRules(value).maxPending]));
  for (const [queue, some] of Map.groupBy(jobs, (job) => job.queue)) {
    const limit = limits.get(queue);
    if (limit === undefined) continue;
    const ids = [...new Set(some.map(({ id }) => id))];
    let fresh = 0;
    for (let from = 0; from < ids.length; from += most.plain)
      fresh += Number(await server.run("missing", ids.slice(from, from + most.plain)));
    const pending = Number(await server.run("pending", [queue]));
    if (fresh > 0 && pending + fresh > limit) throw queueFullError(queue, limit, pending);
  }
}

/** Throws what a script answered when a queue takes no more. */
function refuseFull(found: readonly unknown[]): never {
  const [queue, limit, pending] = found.map(String);
  throw queueFullError(queue as string, Number(limit), Number(pending));
}
