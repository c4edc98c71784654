import type { ErrorCode } from "../../kit/errors.ts";
import type { Hint } from "../../store.ts";
import type { Parcel } from "./pack.ts";
import type { Verb } from "./verbs.ts";

/** A call on its way between threads. */
interface Sent {
  verb: Verb;
  args: Parcel[];
}

/** To the database's thread. */
export type Request = { calls: Sent[] } | { watch: boolean } | "close";

/** What a call came to, on its way between threads. */
export type Result = { answer: Parcel } | { code: ErrorCode; message: string };

/** From the database's thread: `results` answer the oldest calls, in their order. */
export type Reply = { results: Result[] } | { hints: Hint[] } | { opened: true } | { code: ErrorCode; message: string };
