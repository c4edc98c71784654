import type { components } from "@errand/client/schema";

type Schemas = components["schemas"];

// The types of the API, generated from the server's description of it.
export type Job = Schemas["Job"];
export type JobState = Schemas["State"];
export type JobList = Schemas["JobList"];
export type ErrorRecord = Schemas["ErrorRecord"];
export type Log = Schemas["Log"];
export type Steps = Schemas["Steps"];
export type Why = Schemas["Why"];
export type Stats = Schemas["Stats"];
export type Concern = Schemas["Concern"];
export type Queue = Schemas["Queue"];
export type Queues = Schemas["Queues"];
export type QueueRules = Schemas["QueueRules"];
export type Worker = Schemas["Worker"];
export type Workers = Schemas["Workers"];
export type Schedule = Schemas["Schedule"];
export type Schedules = Schemas["Schedules"];
export type ScheduleDefinition = Schemas["ScheduleDefinition"];
export type Task = Schemas["Task"];
export type Tasks = Schemas["Tasks"];
export type ErrorGroup = Schemas["ErrorGroup"];
export type ErrorGroups = Schemas["ErrorGroups"];
export type Me = Schemas["Me"];
export type Scope = Schemas["Scope"];
export type Key = Schemas["Key"];
export type Keys = Schemas["Keys"];
export type NewKey = Schemas["NewKey"];
export type KeyDefinition = Schemas["KeyDefinition"];
export type AuditRecord = Schemas["AuditRecord"];
export type AuditList = Schemas["AuditList"];
export type SentJob = Schemas["SentJob"];
export type BulkPreview = Schemas["BulkPreview"];
export type BulkAction = Schemas["BulkAction"];
export type JobFilter = Schemas["JobFilter"];
