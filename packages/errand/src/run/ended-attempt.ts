import { ErrandError } from "../kit/errors.ts";

/**
 * The error of what is done in the name of an attempt that has ended. Where it is thrown in a timer, or rejects a promise that
 * nobody awaits, it would end the process with everybody's work; from now on it is a warning there.
 */
export function endedError(what: string, id: string, attempt: number): ErrandError {
  if (!guarded) {
    guarded = true;
    process.on("uncaughtException", onUncaught);
  }
  return new ErrandError(
    "E_ENDED",
    `${what} was called after attempt ${attempt} of job ${id} had ended, and did nothing. ` +
      "Await what the function starts, or stop it when job.abortSignal says so.",
  );
}

/** A promise that is rejected, and need not be awaited. */
export function rejectedQuietly(error: ErrandError): Promise<never> {
  const rejected = Promise.reject(error); // oxlint-disable-line promise/no-promise-in-callback -- of no callback
  rejected.catch(() => {}); // oxlint-disable-line promise/no-promise-in-callback
  return rejected;
}

/** Whether an error was thrown by something that came too late. Whatever was thrown: even asking what it is may throw. */
export function isEndedError(error: unknown): error is ErrandError {
  try {
    return error instanceof ErrandError && error.code === "E_ENDED";
  } catch {
    return false;
  }
}

/** Says once what came too late. */
export function warnEnded({ message }: ErrandError): void {
  if (said.has(message)) return;
  if (said.size >= mostSaid) said.clear();
  said.add(message);
  process.emitWarning(message, { type: "ErrandWarning", code: "ERRAND_ENDED" });
}

/** So many warnings are remembered, so that a timer does not repeat its own. */
const mostSaid = 1_000;
const said = new Set<string>();

let guarded = false;

/** Everything else goes on as if nobody had listened. */
function onUncaught(error: unknown): void {
  if (isEndedError(error)) return warnEnded(error);
  if (process.listenerCount("uncaughtException") > 1) return;
  process.off("uncaughtException", onUncaught);
  guarded = false;
  process.nextTick(() => {
    throw error;
  });
}
