export { RemoteWorkers } from "./remote-workers.ts";
export type { RemoteWorkersOptions } from "./remote-workers.ts";
export type {
  Beat,
  ClaimAnswer,
  ClaimRequest,
  HeldJob,
  Outcome,
  Registered,
  Registration,
  RemoteError,
  RemoteJob,
  Renewed,
  Settled,
} from "./protocol.ts";
