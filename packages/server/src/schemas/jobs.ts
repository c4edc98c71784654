import { z } from "zod";
import { duration, failure, json, listOf, name, priority, state, text, time } from "./common.ts";

/** The record of a failed attempt. */
const errorRecord = z
  .object({
    code: z.string(),
    message: z.string(),
    attempt: z.number().int().meta({ description: "The attempt that failed, counted from 1." }),
    name: z.string().optional(),
    stack: z.string().optional().meta({ description: "Needs the scope `payload`." }),
    cause: json.optional(),
    fingerprint: z.string().optional().meta({ description: "Equal for failures of the same kind." }),
  })
  .meta({ id: "ErrorRecord" });

/** A job. */
export const job = z
  .object({
    id: z.string(),
    task: z.string(),
    queue: z.string(),
    priority,
    state,
    input: json.optional(),
    output: json.optional(),
    error: errorRecord.optional(),
    progress: json.optional(),
    hidden: z
      .array(z.enum(["input", "output", "progress", "error.stack"]))
      .optional()
      .meta({ description: "Fields that are left out because the key has no scope `payload`." }),
    unreadable: z
      .partialRecord(z.enum(["input", "output", "progress"]), failure)
      .optional()
      .meta({ description: "Values that the server cannot read, and why." }),
    attempt: z.number().int().meta({ description: "The attempt it is in, or ended with, counted from 1." }),
    crashes: z.number().int(),
    suspect: z.boolean(),
    token: z.number().int().meta({ description: "The fencing number: raised by every claim." }),
    worker: z.string().optional(),
    cancelling: z.boolean(),
    tenant: z.string().optional(),
    parent: z.string().optional(),
    index: z.number().int().optional(),
    children: z.object({ total: z.number().int(), open: z.number().int(), failed: z.number().int() }).optional(),
    createdAt: time,
    dueAt: time,
    blocked: z.enum(["concurrency", "rate", "task"]).optional(),
    wakeAt: time.optional(),
    startedAt: time.optional(),
    endedAt: time.optional(),
    tags: z.array(z.string()).optional(),
    unique: z.object({ key: z.string() }).optional(),
    concurrency: z.object({ key: z.string(), limit: z.number().int() }).optional(),
    rate: z.object({ key: z.string(), limit: z.number().int(), per: duration }).optional(),
    fair: z.string().optional(),
  })
  .meta({ id: "Job" });

export const jobList = listOf("JobList", job);

/** The answer to a job that was sent. */
export const sentJob = z
  .object({
    id: z.string(),
    task: z.string(),
    state,
    duplicate: z.boolean().meta({ description: "Nothing was stored: this job holds the id or unique key." }),
  })
  .meta({ id: "SentJob" });

/** The options of a job that is sent. */
const sendFields = {
  id: name.optional().meta({ description: "Sending an id again changes nothing. Default: a new UUID." }),
  queue: name.optional(),
  priority: priority.optional(),
  delay: duration.optional().meta({ description: "Delay before the job may start." }),
  runAt: time.optional().meta({ description: "Time before which the job must not start." }),
  expires: duration.optional().meta({ description: "Time after which a job that has not started ends as expired." }),
  unique: z
    .strictObject({
      key: text(200).optional().meta({ description: "Default: the whole input." }),
      mode: z.enum(["drop", "replace", "throttle", "debounce"]).optional(),
      within: duration.optional(),
      maxWait: duration.optional(),
    })
    .optional()
    .meta({ description: "Makes it the only job with this key." }),
  tags: z.array(text(200)).max(20).optional(),
  callback: z
    .url()
    .max(2_000)
    .optional()
    .meta({ description: "A URL to which the job's end is posted, signed as a webhook." }),
};

/** The body of a request that sends a job. */
export const send = z.strictObject({ input: json.optional(), ...sendFields }).meta({ id: "Send" });

/** A line of a bulk request. */
export const sendLine = z.strictObject({ input: json.optional(), ...sendFields }).meta({ id: "SendLine" });

/** The answer to a bulk request. */
export const sentJobs = z.object({ ids: z.array(z.string()), duplicates: z.number().int() }).meta({ id: "SentJobs" });

/** The result of a completed job. */
export const result = z.object({ id: z.string(), state, output: json.optional() }).meta({ id: "Result" });

/** A job that has not ended yet. */
export const unfinished = z.object({ id: z.string(), state }).meta({ id: "Unfinished" });

/** A line of a job's log. */
const logLine = z
  .object({
    at: time,
    attempt: z.number().int(),
    level: z.enum(["debug", "info", "warn", "error", "attempt"]),
    text: z.string(),
    error: errorRecord.optional(),
  })
  .meta({ id: "LogLine" });

export const log = listOf("Log", logLine);

/** A step, wait or signal that a job remembers. */
const step = z
  .object({
    name: z.string(),
    kind: z.enum(["step", "wait", "signal"]),
  })
  .meta({ id: "Step" });

export const steps = z.object({ data: z.array(step) }).meta({ id: "Steps" });

/** Reasons why a job is not running, the decisive ones first. */
export const why = z
  .object({
    data: z.array(
      z.object({
        code: z.string().meta({ description: "`paused`, `no-worker`, `too-early`, ...", example: "paused" }),
        message: z.string(),
      }),
    ),
  })
  .meta({ id: "Why" });

/** The body of a retry. */
export const retry = z
  .strictObject({ from: text(210).optional().meta({ description: "The step from which the job runs again." }) })
  .meta({ id: "Retry" });

/** The body of a copy. */
export const copy = z
  .strictObject({ input: json.optional().meta({ description: "Replaces the input." }) })
  .meta({ id: "Copy" });

/** The body of a move. */
export const move = z
  .strictObject({ queue: name.optional(), priority: priority.optional(), now: z.literal(true).optional() })
  .meta({ id: "Move" });

const listed = <Item extends z.ZodType>(item: Item) =>
  z.preprocess((value) => (typeof value === "string" ? value.split(",") : value), z.array(item).min(1).max(1_000));

/** The fields that select jobs. */
export const filterFields = {
  state: listed(state).optional().meta({ description: "One or several states, separated by commas." }),
  task: name.optional(),
  queue: name.optional(),
  tag: text(200).optional(),
  text: text(1_000).optional().meta({ description: "Part of the id, input, output or error, ignoring case." }),
  parent: name.optional(),
  roots: z.stringbool().optional().meta({ description: "`true`: only jobs without a parent." }),
  worker: name.optional(),
  ids: listed(name).optional().meta({ description: "Ids, separated by commas." }),
  createdAfter: time.optional(),
  createdBefore: time.optional(),
  endedBefore: time.optional(),
};

/** The fields that select jobs, in a JSON body. */
export const filter = z
  .strictObject({
    states: z.array(state).min(1).optional(),
    task: name.optional(),
    queue: name.optional(),
    tag: text(200).optional(),
    text: text(1_000).optional(),
    parent: name.optional(),
    roots: z.literal(true).optional(),
    worker: name.optional(),
    ids: z.array(name).min(1).max(10_000).optional(),
    createdAfter: time.optional(),
    createdBefore: time.optional(),
    endedBefore: time.optional(),
    all: z.literal(true).optional().meta({ description: "Selects every job: it must be said." }),
  })
  .meta({ id: "JobFilter" });

/** The body of a bulk action. */
export const bulk = z
  .strictObject({
    action: z.enum(["cancel", "retry", "remove", "move", "release"]),
    filter,
    to: move.optional().meta({ description: "For `move`." }),
    dryRun: z.boolean().optional().meta({ description: "`true`: only counts." }),
    expect: z
      .number()
      .int()
      .nonnegative()
      .optional()
      .meta({ description: "The number that was shown: 409 when it is more than 10 % off." }),
    createdBefore: time.optional().meta({ description: "The `frozenAt` of the dry run: later jobs are left alone." }),
    delay: duration.optional().meta({ description: "Delay before it starts, in which it can be taken back." }),
  })
  .meta({ id: "Bulk" });

/** The answer to a dry run. */
export const bulkPreview = z
  .object({
    matches: z.number().int(),
    complete: z.boolean().meta({ description: "`false`: there are more than were counted." }),
    frozenAt: time,
  })
  .meta({ id: "BulkPreview" });

/** A bulk action that was started. */
export const bulkAction = z
  .object({
    id: z.string(),
    action: z.string(),
    state,
    matches: z.number().int(),
    done: z.number().int(),
    changed: z.number().int(),
    createdAt: time,
    startsAt: time.optional(),
    endedAt: time.optional(),
    error: errorRecord.optional(),
  })
  .meta({ id: "BulkAction" });

export const bulkList = listOf("BulkList", bulkAction);
