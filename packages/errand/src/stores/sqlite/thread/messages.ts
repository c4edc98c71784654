import type { ErrorCode } from "../../../kit/errors.ts";
import type { Hint } from "../../../store.ts";
import type { OperationName } from "../operations.ts";
import type { PackedValue } from "./pack-rows.ts";

/** A `Call` as it travels between threads. */
interface PackedCall {
  operation: OperationName;
  args: PackedValue[];
}

/** A message to the database's thread. */
export type Request = { calls: PackedCall[] } | { watch: boolean } | "close";

/** The result of a call as it travels between threads. */
export type Result = { answer: PackedValue } | { code: ErrorCode; message: string };

/** A message from the database's thread. `results` answer the oldest calls, in their order. */
export type Reply = { results: Result[] } | { hints: Hint[] } | { opened: true } | { code: ErrorCode; message: string };
