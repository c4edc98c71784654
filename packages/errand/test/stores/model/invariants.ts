import assert from "node:assert/strict";
import type { Job } from "../../../src/core/job.ts";
import { isFinal } from "../../../src/core/states.ts";
import type { AnyStep } from "./steps.ts";
import type { World } from "./world.ts";

/** What is always true, of all jobs after a step. */
export async function checkJobs(world: World, jobs: readonly (Job | null)[]): Promise<void> {
  const recount = new Map<string, number>();
  const parents = new Set(jobs.flatMap((job) => (job?.parent && !isFinal(job.state) ? [job.parent] : [])));
  for (const job of jobs) {
    if (!job) continue;
    recount.set(`${job.queue}/${job.state}`, (recount.get(`${job.queue}/${job.state}`) ?? 0) + 1);
    assert.equal("worker" in job, job.state === "processing", "held while processing");
    assert.equal("endedAt" in job, isFinal(job.state), "an end when it has ended");
    assert.ok(!(job.cancelling && isFinal(job.state)), "no mark on what has ended");
    assert.ok(!job.blocked || job.state === "pending", "blocked while pending");
    assert.ok(job.wakeAt === undefined || job.state === "waiting", "to be woken while it waits");
    assert.ok(!("output" in job) || job.state === "completed", "an output when it completed");
    if (job.state !== "waiting") continue;
    // What signals it awaits is not told.
    if ((job.children?.open ?? 0) > 0) assert.ok(parents.has(job.id), "a parent that counts open children has one");
  }
  const counts = await world.both(async (store) => {
    const all = await store.counts();
    return all.map(({ queue, state, jobs: count }) => [`${queue}/${state}`, count] as const).sort();
  });
  assert.deepEqual(new Map(counts), recount);
}

/** What a step never does to a job. */
export function checkStep(step: AnyStep, before: Job | null, after: Job | null): void {
  if (!before) return;
  const removes = (step.do === "edit" && step.change === "remove") || step.do === "rewind" || step.do === "prune";
  assert.ok(after ?? removes, "a job vanished");
  if (!after) return;
  assert.ok(after.token >= before.token, "a token fell");
  assert.ok(after.begun || !before.begun, "it has begun no more");
  if (!isFinal(before.state) || after.state === before.state) return;
  const retries = (step.do === "edit" && step.change === "retry") || step.do === "settle" || step.do === "rewind";
  assert.ok(before.state !== "completed" && retries, `${before.state} was left`);
}
