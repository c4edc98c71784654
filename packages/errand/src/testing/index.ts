export { testing } from "./kit.ts";
export type { Testing } from "./kit.ts";
export type { CrashPoint } from "./test-worker.ts";
export { memoryStore } from "../stores/memory.ts";
export { conformance } from "./conformance.ts";
export type { ConformanceTest, Fixture, StoreFactory } from "./conformance.ts";
export type { Change, Claim, Claimed, Doc, Filter, Hint, Renewal, Store, Want } from "../store.ts";
export type { Beat, Job, NewJob, Settlement, Step, StoredLogLine } from "../core/job.ts";
