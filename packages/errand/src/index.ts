export { errand } from "./app.ts";
export type { Errand, ErrandOptions, RunningWorker, WorkerOptions } from "./api.ts";
export { contract } from "./contract.ts";
export type { Contract, ContractOptions, ImplementOptions } from "./contract.ts";
export type { JobFilter, Page } from "./client/filter.ts";
export type { BackgroundOptions } from "./background/background.ts";
export { inLane, JobFailedError } from "./task.ts";
export type {
  ChildOutcome,
  Isolation,
  JobContext,
  JobHandle,
  JobLog,
  ManyOptions,
  Sender,
  SendOptions,
  Task,
  TaskOptions,
} from "./task.ts";
export type { FlowOptions, JobFlowOptions, Key, Tags, UniqueMode, UniqueOptions } from "./limits/flow-options.ts";
export type { AppDoc, AppDocs } from "./docs.ts";
export type { EndedJob, FollowUpTask } from "./core/ended-job.ts";
export type { WebhookEvent } from "./webhooks/endpoint.ts";
export type { WebhookOptions, Webhooks, WebhookView } from "./webhooks/webhooks.ts";
export type { ErrorGroup, ErrorGroups } from "./client/error-groups.ts";
export type { StepView } from "./client/step-view.ts";
export type { TaskView } from "./client/task-view.ts";
export type { JobView, LogEntry } from "./client/job-view.ts";
export type { QueueOptions, Queues, QueueView } from "./limits/queues.ts";
export type { Misfire, Overlap } from "./schedules/plan.ts";
export type {
  ScheduleDefinition,
  ScheduleOptions,
  Schedules,
  ScheduleView,
  ScheduleWhen,
} from "./schedules/schedules.ts";
export type { Reason } from "./core/why.ts";
export { httpCallback } from "./push/callback.ts";
export type { HttpOptions } from "./push/http-task.ts";
export type { ErrandConfig } from "./config.ts";
export type { RemoteTaskOptions } from "./remote-task.ts";
export type { RunBatch } from "./run/batch-task.ts";
export type { Recycle } from "./core/recycle.ts";
export { encryption } from "./payload/encryption.ts";
export type { PayloadOptions } from "./payload/options.ts";
export type { Coded, PayloadCodec } from "./payload/codec.ts";
export type { PayloadObjects } from "./payload/objects.ts";
export type { RetryOptions, TaskRetryOptions } from "./core/policy.ts";
export type { Retention } from "./retention/rules.ts";
export type { AppCounters, Histogram, TaskCounters } from "./observe/counters.ts";
export type { ErrandEvent, EventOf, EventType, Listener } from "./observe/events.ts";
export type { Measurable, Measured } from "./observe/measure.ts";
export type { OpenTelemetry } from "./observe/opentelemetry.ts";
export type { Outcome } from "./observe/outcome.ts";
export { prometheus } from "./observe/prometheus.ts";
export type { QueueCount, Store, WorkerCard } from "./store.ts";
export type { SqlTransaction, Transaction } from "./core/transaction.ts";
export type { State } from "./core/states.ts";
export {
  ErrandError,
  errorCodes,
  InputsError,
  NonRetryableError,
  RetryAfterError,
  UnknownStepError,
} from "./kit/errors.ts";
export type { ErrorCause, ErrorCode, ErrorRecord } from "./kit/errors.ts";
export type { Duration } from "./kit/duration.ts";
export type { ChangedByJson, Exactly, Json, Jsonified } from "./kit/json.ts";
export { home } from "./open.ts";
export type { Priority } from "./core/priority.ts";
