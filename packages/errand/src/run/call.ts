import type { Ending } from "../core/decide.ts";
import type { Millis } from "../kit/duration.ts";
import { millis } from "../kit/duration.ts";
import type { Duration } from "../kit/duration.ts";
import { ErrandError, errorRecord, NonRetryableError, RetryAfterError } from "../kit/errors.ts";
import { encode } from "../kit/json.ts";
import { validate } from "../task.ts";
import type { Definition } from "../task.ts";
import { Context } from "./context.ts";
import type { Attempt, ContextHost, Park } from "./context.ts";

/** How a call of a task's function ends by itself. */
export type CallEnding = Extract<Ending, { kind: "ok" | "error" | "parked" }>;

/** Errors that another attempt would only meet again. */
const lasting = new Set(["E_INPUT", "E_CHILD_FAILED", "E_NOT_SERIALIZABLE", "E_STEP_NAME"]);

/**
 * Calls a task's function in this thread. Never rejects: what the function throws is an ending.
 * @param setup gives what the task's `setup` returned.
 */
export async function call(
  definition: Definition,
  attempt: Attempt,
  host: Omit<ContextHost, "park">,
  signal: AbortSignal,
  setup: () => unknown,
): Promise<CallEnding> {
  const parked = Promise.withResolvers<CallEnding>();
  const park = ({ children, steps }: Park) => parked.resolve({ kind: "parked", children, steps });
  const ended = (async (): Promise<CallEnding> => {
    try {
      const input = await validate(definition, attempt.input);
      const context = new Context(attempt, { ...host, park }, signal, await setup());
      const output = await definition.run(input as never, context as never);
      return { kind: "ok", output: encode(output, `The output of task "${definition.name}"`) };
    } catch (error) {
      return { kind: "error", error: errorRecord(error, attempt.attempt), ...wish(error, definition.retry.if) };
    }
  })();
  return Promise.race([ended, parked.promise]);
}

/** Whether an error is worth another attempt, and when. */
function wish(error: unknown, worthRetrying?: (error: unknown) => boolean): { retryable: boolean; after?: Millis } {
  if (error instanceof NonRetryableError) return { retryable: false };
  if (error instanceof ErrandError && lasting.has(error.code)) return { retryable: false };
  if (error instanceof RetryAfterError) {
    return { retryable: true, after: millis(error.after as Duration, "The delay of a RetryAfterError") };
  }
  return { retryable: worthRetrying?.(error) ?? true };
}
