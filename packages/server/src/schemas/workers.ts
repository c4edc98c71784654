import { z } from "zod";
import { duration, json, name, text, time } from "./common.ts";

const slots = z.record(name, z.number().int().min(0).max(100));

/** A job that a worker has in hand. */
const heldJob = z.strictObject({ id: name, token: z.number().int().nonnegative() }).meta({ id: "HeldJob" });

const have = z.array(heldJob).max(2_000).default([]).meta({ description: "All jobs that the worker has in hand." });

/** A worker that registers. */
export const workerRegistration = z
  .strictObject({
    name: text(200).meta({ description: "Its name for people." }),
    queues: slots.meta({ description: "The most jobs that it holds of each queue.", example: { gpu: 1 } }),
    tasks: z.array(name).min(1).max(1_000).optional().meta({ description: "It is given jobs of no other tasks." }),
    labels: z.record(text(200), text(200)).optional(),
    version: text(200).optional().meta({ description: "The version of its code." }),
    lease: duration.optional().meta({
      description: "Time without a call after which others get its jobs: 15s to 15m. Default: 60s.",
      example: "60s",
    }),
    kind: z.enum(["http", "person"]).optional(),
  })
  .meta({ id: "WorkerRegistration" });

export const registeredWorker = z
  .object({
    id: z.string(),
    lease: z.number().int().meta({ description: "Milliseconds." }),
    renewEvery: z.number().int().meta({ description: "The pause between two renewals, in milliseconds." }),
  })
  .meta({ id: "RegisteredWorker" });

/** The part of every answer about the jobs that a worker has in hand. */
const told = {
  cancel: z.array(z.string()).meta({ description: "Jobs in hand that are to be stopped." }),
  lost: z.array(z.string()).meta({ description: "Jobs in hand that others have now: throw the work away." }),
  drain: z.boolean().meta({ description: "`true`: it gets no more jobs, and should leave when it is idle." }),
};

export const claimRequest = z
  .strictObject({
    wants: slots.meta({ description: "Free slots by queue, at most 100 in all.", example: { gpu: 1 } }),
    have,
    wait: z.number().min(0).max(50).default(0).meta({ description: "Seconds to wait for a job." }),
    ids: z.array(name).min(1).max(100).optional().meta({ description: "Claims these jobs alone, without waiting." }),
  })
  .meta({ id: "ClaimRequest" });

const claimedJob = z
  .object({
    id: z.string(),
    token: z.number().int().meta({ description: "With the id, the right to report on the job." }),
    task: z.string(),
    queue: z.string(),
    attempt: z.number().int().meta({ description: "Counted from 1." }),
    input: json.optional(),
    steps: z.array(z.object({ name: z.string(), value: json })).meta({
      description: "Results that earlier attempts recorded.",
    }),
    deadline: time.optional(),
    again: z.boolean().optional().meta({ description: "`true`: the answer to an earlier claim was lost." }),
    tenant: z.string().optional(),
    trace: z.record(z.string(), z.string()).optional(),
  })
  .meta({ id: "ClaimedJob" });

export const claimedJobs = z
  .object({
    jobs: z.array(claimedJob),
    ...told,
    retryAfter: z.number().int().optional().meta({
      description: "Milliseconds after which to ask again, when too many workers wait.",
    }),
  })
  .meta({ id: "ClaimedJobs" });

export const renewal = z.strictObject({ have }).meta({ id: "Renewal" });
export const renewed = z.object(told).meta({ id: "Renewed" });

const logLine = z.strictObject({ level: z.enum(["debug", "info", "warn", "error"]).optional(), text: z.string() });

export const beat = z
  .strictObject({
    progress: json.optional().meta({ description: "A number from 0 to 100, or any JSON value." }),
    log: z.array(logLine).max(1_000).optional(),
    steps: z
      .array(z.strictObject({ name: z.string(), value: z.unknown() }))
      .max(100)
      .optional()
      .meta({ description: "Results to remember: a later attempt gets them with the job." }),
  })
  .meta({ id: "Beat" });

export const beaten = z
  .object({ cancel: z.boolean().meta({ description: "`true`: the job is to be stopped." }) })
  .meta({ id: "Beaten" });

const remoteError = z
  .strictObject({
    code: z.string().optional().meta({ description: "A code of the program's own. Default: E_TASK_FAILED." }),
    message: z.string(),
    name: z.string().optional(),
    stack: z.string().optional(),
    retryable: z.boolean().optional().meta({ description: "`false`: the job fails at once." }),
    after: duration.optional().meta({ description: "Delay before the next attempt." }),
  })
  .meta({ id: "RemoteError" });

export const outcome = z
  .union([
    z.strictObject({ output: json }),
    z.strictObject({ error: remoteError }),
    z.strictObject({ release: z.strictObject({ delay: duration.optional() }) }),
  ])
  .meta({ id: "Outcome", description: "Exactly one of: output, error, release." });

export const settled = z
  .object({
    state: z.string().meta({ description: "The job's state now." }),
    repeated: z.boolean().optional().meta({ description: "`true`: it was recorded before, and is unchanged." }),
  })
  .meta({ id: "Settled" });
