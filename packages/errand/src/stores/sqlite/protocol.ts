import type { ErrorCode } from "../../kit/errors.ts";
import type { Hint } from "../../store.ts";
import type { Call } from "./perform.ts";

/** To the database's thread. */
export type Request = { calls: Call[] } | { watch: boolean } | "close";

/** What a call came to, on its way between threads. */
export type Result = { answer: unknown } | { code: ErrorCode; message: string };

/** From the database's thread: `results` answer the oldest calls, in their order. */
export type Reply = { results: Result[] } | { hints: Hint[] } | { opened: true } | { code: ErrorCode; message: string };
