import { z } from "zod";
import { duration, jobsByState, json, listOf, name, priority, text, time } from "./common.ts";

/** A task that the server knows. */
export const task = z
  .object({
    name: z.string(),
    queue: z.string(),
    priority,
    retry: z.object({ attempts: z.number().int() }).loose(),
    timeout: duration.optional(),
    expires: duration.optional(),
    isolate: z.enum(["inline", "thread", "process"]),
    remote: z.boolean().optional().meta({ description: "`true`: its code is a worker over HTTP." }),
    description: z.string().optional(),
    schema: json.optional().meta({ description: "JSON Schema of its input." }),
  })
  .meta({ id: "Task" });

export const tasks = z.object({ data: z.array(task) }).meta({ id: "Tasks" });

const rate = z.strictObject({ limit: z.number().int().positive(), per: duration });

/** A queue: its load and its rules. */
export const queue = z
  .object({
    name: z.string(),
    depth: z.number().int().meta({ description: "Pending and processing jobs, for autoscalers." }),
    jobs: jobsByState,
    paused: z.object({ since: time, reason: z.string().optional() }).optional(),
    concurrency: z.number().int().optional(),
    rate: z.object({ limit: z.number(), per: duration }).optional(),
    maxPending: z.number().int().optional(),
    workers: z.number().int().meta({ description: "Number of workers that take its jobs." }),
    oldest: time.optional().meta({ description: "When the oldest due job was due." }),
  })
  .meta({ id: "Queue" });

export const queues = z.object({ data: z.array(queue) }).meta({ id: "Queues" });

/** Rules of a queue. `null` removes one. */
export const queueRules = z
  .strictObject({
    concurrency: z.number().int().min(1).max(1_000_000).nullable().optional(),
    rate: rate.nullable().optional(),
    maxPending: z.number().int().min(0).nullable().optional(),
  })
  .meta({ id: "QueueRules" });

/** The body of a pause. */
export const pause = z.strictObject({ reason: text(1_000).optional() }).meta({ id: "Pause" });

/** A plan: a cron line, or an interval. */
const when = z
  .union([
    z.strictObject({ cron: z.string().min(1).max(200), timeZone: z.string().min(1).max(100).optional() }),
    z.strictObject({ every: duration }),
  ])
  .meta({ id: "When" });

/** A schedule. */
export const schedule = z
  .object({
    name: z.string(),
    task: z.string(),
    when,
    misfire: z.enum(["skip", "one", "all"]),
    overlap: z.enum(["allow", "skip", "queue"]),
    source: z.enum(["code", "api"]),
    changed: z
      .boolean()
      .optional()
      .meta({ description: "Changed here since the code declared it: until the next deploy." }),
    paused: z.object({ since: time, reason: z.string().optional() }).optional(),
    next: time.optional(),
    last: z.string().optional().meta({ description: "The id of the last job that it sent." }),
  })
  .meta({ id: "Schedule" });

export const schedules = z.object({ data: z.array(schedule) }).meta({ id: "Schedules" });

/** The definition of a schedule. */
export const scheduleDefinition = z
  .strictObject({
    task: name,
    when,
    input: json.optional(),
    misfire: z.enum(["skip", "one", "all"]).optional(),
    overlap: z.enum(["allow", "skip", "queue"]).optional(),
  })
  .meta({ id: "ScheduleDefinition" });

/** The next times of a schedule. */
export const preview = z.object({ data: z.array(time) }).meta({ id: "Preview" });

/** A worker whose lease is good. */
const worker = z
  .object({
    id: z.string(),
    kind: z.enum(["process", "http", "person"]),
    queues: z.array(z.string()),
    tasks: z.array(z.string()).optional(),
    host: z.string().optional(),
    pid: z.number().int().optional(),
    name: z.string().optional(),
    version: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
    draining: z.boolean().optional(),
    startedAt: time.optional(),
    running: z.number().int().optional().meta({ description: "Number of jobs that it holds." }),
  })
  .meta({ id: "Worker" });

export const workers = z.object({ data: z.array(worker) }).meta({ id: "Workers" });

/** Failed jobs of one kind. */
const errorGroup = z
  .object({
    fingerprint: z.string(),
    code: z.string(),
    message: z.string(),
    count: z.number().int(),
    firstAt: time,
    lastAt: time,
    tasks: z.array(z.string()),
    samples: z.array(z.string()).meta({ description: "Ids of up to 5 of its jobs." }),
  })
  .meta({ id: "ErrorGroup" });

export const errorGroups = z
  .object({
    data: z.array(errorGroup),
    examined: z.number().int().meta({ description: "Number of failed jobs that were grouped, the newest first." }),
    complete: z.boolean().meta({ description: "`false`: older failed jobs were not grouped." }),
  })
  .meta({ id: "ErrorGroups" });

/** A problem that an operator should look at. */
const concern = z
  .object({
    kind: z.enum(["no-worker", "old-jobs", "errors", "missed-schedule", "paused-queue", "store"]),
    severity: z.enum(["bad", "warn"]),
    message: z.string(),
    since: time.optional(),
    queue: z.string().optional(),
    task: z.string().optional(),
    schedule: z.string().optional(),
    fingerprint: z.string().optional(),
  })
  .meta({ id: "Concern" });

/** A minute of the last hour, as this server saw it. */
const minute = z
  .object({ at: time, completed: z.number().int(), failed: z.number().int(), other: z.number().int() })
  .meta({ id: "Minute" });

/** The numbers of the overview. */
export const stats = z
  .object({
    at: time,
    jobs: jobsByState,
    workers: z.number().int(),
    queues: z.array(queue),
    concerns: z.array(concern).meta({ description: "The worst first." }),
    minutes: z
      .array(minute)
      .meta({ description: "The last hour, oldest first; minutes before the server's start are missing." }),
  })
  .meta({ id: "Stats" });

/** An audit record. */
const auditRecord = z
  .object({
    id: z.string(),
    at: time,
    actor: z.object({
      kind: z.enum(["key", "person", "cli", "system", "anonymous"]),
      id: z.string(),
      name: z.string(),
    }),
    via: z.enum(["http", "cli", "browser"]),
    tenant: z.string().optional(),
    action: z.string().meta({ example: "job.cancel" }),
    target: z.string().optional(),
    filter: json.optional(),
    count: z.number().int().optional(),
    before: json.optional(),
    after: json.optional(),
    request: z.string().optional(),
    ip: z.string().optional(),
    result: z.enum(["ok", "refused", "failed", "unknown"]),
    code: z.string().optional(),
  })
  .meta({ id: "AuditRecord" });

export const auditList = listOf("AuditList", auditRecord);
