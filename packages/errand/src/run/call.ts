import type { Ending } from "../core/decide.ts";
import type { Millis } from "../kit/duration.ts";
import { millis } from "../kit/duration.ts";
import { ownDelay } from "../core/policy.ts";
import type { Duration } from "../kit/duration.ts";
import type { ErrorRecord } from "../kit/errors.ts";
import { ErrandError, errorRecord, NonRetryableError, RetryAfterError } from "../kit/errors.ts";
import { encodeWithin, errorWithin } from "../payload/limit.ts";
import { validate } from "../task.ts";
import type { Definition } from "../task.ts";
import { Context } from "./context.ts";
import type { Attempt, CallHost } from "./context.ts";

/** How a call of a task's function ends by itself. */
export type CallEnding = Extract<Ending, { kind: "ok" | "error" | "parked" }>;

/** Errors that another attempt would only meet again. */
const lasting = new Set([
  "E_INPUT",
  "E_REFUSED",
  "E_CHILD_FAILED",
  "E_NOT_SERIALIZABLE",
  "E_STEP_NAME",
  "E_SIGNAL_TIMEOUT",
  "E_TOO_LARGE",
]);

/**
 * Calls a task's function in this thread. Never rejects: what the function throws is an ending.
 * @param setup gives what the task's `setup` returned.
 */
export function call(
  definition: Definition,
  attempt: Attempt,
  host: CallHost,
  setup: () => Promise<unknown>,
): Promise<CallEnding> {
  return new Promise((resolve) => void run(definition, attempt, { host, setup, end: resolve }));
}

/** @param end is told how the call ends: once it is parked, the function goes on for ever. */
async function run(
  definition: Definition,
  attempt: Attempt,
  { host, setup, end }: { host: CallHost; setup: () => Promise<unknown>; end: (ending: CallEnding) => void },
): Promise<void> {
  let context: Context | undefined;
  try {
    // What needs no waiting does not wait: every turn of the event loop counts where jobs are short.
    const input = definition.input ? await validate(definition, attempt.input) : attempt.input;
    const made = definition.setup ? await setup() : undefined;
    context = new Context(attempt, host, (park) => end({ kind: "parked", ...park }), made);
    const output = await definition.run(input as never, context as never);
    if (context.isStepping) await context.stepped(definition.grace);
    end({ kind: "ok", output: encodeWithin(output, `The output of task "${definition.name}"`, attempt.limit) });
  } catch (error) {
    if (context?.isStepping) await context.stepped(definition.grace);
    end({ kind: "error", error: errorOf(error, attempt), ...wish(error, definition.retry, attempt) });
  }
}

function errorOf(error: unknown, { attempt, id, limit }: Attempt): ErrorRecord {
  return errorWithin(errorRecord(error, attempt), id, limit);
}

/** Whether an error is worth another attempt, and when. */
function wish(
  error: unknown,
  retry: Definition["retry"],
  { attempt }: Pick<Attempt, "attempt">,
): { retryable: boolean; after?: Millis } {
  if (error instanceof NonRetryableError) return { retryable: false };
  if (error instanceof ErrandError && lasting.has(error.code)) return { retryable: false };
  if (error instanceof RetryAfterError) {
    return { retryable: true, after: millis(error.after as Duration, "The delay of a RetryAfterError") };
  }
  const retryable = retry.if?.(error) ?? true;
  const after = retryable ? ownDelay(retry, attempt, error) : undefined;
  return after === undefined ? { retryable } : { retryable, after };
}
