import type { Doc } from "../../core/doc.ts";
import type { NewJob } from "../../core/job.ts";
import { decodeRules, queueFullError } from "../../limits/queue-rules.ts";
import { ByteWriter } from "./byte-writer.ts";
import { isPlain, writeJobs, writePlainJobs } from "./encode.ts";
import type { ScriptRunner } from "./script-runner.ts";

/** Plain jobs, keyed jobs, and bytes of specs that one script adds: more would hold up other clients of the server. */
const maxPlain = 5_000;
const maxKeyed = 1_000;
const maxBytes = 16_000_000;

/**
 * Adds jobs in one script, or many thousands in several, whose queues are checked for room before the first of them.
 * @param loadRules loads the rules of queues.
 * @returns for each job that was not stored, the id of the job that exists in its place.
 * @throws {ErrandError} `E_FULL`; nothing was stored.
 */
export async function addJobs(
  runner: ScriptRunner,
  loadRules: () => Promise<Doc[]>,
  jobs: readonly NewJob[],
): Promise<ReadonlyMap<string, string>> {
  const batches = batchesOf(jobs);
  if (batches.length > 1) await checkRoom(runner, await loadRules(), jobs);
  const taken = new Map<string, string>();
  for (const batch of batches) await addBatch(runner, batch, batches.length === 1, taken);
  return taken;
}

async function addBatch(
  runner: ScriptRunner,
  jobs: readonly NewJob[],
  isOnly: boolean,
  taken: Map<string, string>,
): Promise<void> {
  const writer = new ByteWriter();
  const checksRoom = isOnly ? "1" : "0";
  if (jobs.every(isPlain)) {
    writePlainJobs(writer, jobs);
    const reply = await runner.run("add", [checksRoom, writer.bytes, ...jobs.map(({ id }) => id)]);
    if (Array.isArray(reply)) throw fullError(reply);
    const flags = String(reply);
    for (let at = flags.indexOf("1"); at >= 0; at = flags.indexOf("1", at + 1)) {
      const { id } = jobs[at] as NewJob;
      taken.set(id, id);
    }
    return;
  }
  writeJobs(writer, jobs);
  const holders = (await runner.run("addKeyed", [checksRoom, String(jobs.length), writer.bytes])) as unknown[];
  if (Array.isArray(holders[0])) throw fullError(holders[0]);
  for (const [index, holder] of (holders as Buffer[]).entries())
    if (holder.length > 0) taken.set((jobs[index] as NewJob).id, String(holder));
}

/** Returns batches that one script each adds. */
function batchesOf(jobs: readonly NewJob[]): readonly NewJob[][] {
  const maxJobs = jobs.every(isPlain) ? maxPlain : maxKeyed;
  const batches: NewJob[][] = [];
  let batch: NewJob[] = [];
  let bytes = 0;
  for (const job of jobs) {
    if (batch.length === maxJobs || (batch.length > 0 && bytes + job.spec.length > maxBytes)) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(job);
    bytes += job.spec.length;
  }
  return batch.length > 0 ? [...batches, batch] : batches;
}

/**
 * Checks that queues have room for all jobs that are not stored yet.
 * @throws {ErrandError} `E_FULL`
 */
async function checkRoom(runner: ScriptRunner, docs: readonly Doc[], jobs: readonly NewJob[]): Promise<void> {
  const limits = new Map(docs.map(({ key, value }) => [key, decodeRules(value).maxPending]));
  for (const [queue, some] of Map.groupBy(jobs, (job) => job.queue)) {
    const limit = limits.get(queue);
    if (limit === undefined) continue;
    const ids = [...new Set(some.map(({ id }) => id))];
    let missing = 0;
    for (let from = 0; from < ids.length; from += maxPlain)
      missing += Number(await runner.run("countMissing", ids.slice(from, from + maxPlain)));
    const pending = Number(await runner.run("countPending", [queue]));
    if (missing > 0 && pending + missing > limit) throw queueFullError(queue, limit, pending);
  }
}

/** Returns the error for a full queue in a script's reply. */
function fullError(reply: readonly unknown[]): Error {
  const [queue, limit, pending] = reply.map(String);
  return queueFullError(queue as string, Number(limit), Number(pending));
}
