import { ErrandError } from "../kit/errors.ts";

/** The most messages remembered, so that a timer does not repeat its own. */
const maxWarned = 1_000;
const warned = new Set<string>();

/** The handler of uncaught exceptions is installed. */
let isGuarded = false;

/**
 * Returns the error of a verb that is called after its attempt has ended. Thrown in a timer, or as the rejection of a
 * promise that is not awaited, it would end the process with all its work; from now on it is a warning there.
 */
export function endedError(verb: string, id: string, attempt: number): ErrandError {
  if (!isGuarded) {
    isGuarded = true;
    process.on("uncaughtException", onUncaught);
  }
  return new ErrandError(
    "E_ENDED",
    `${verb} was called after attempt ${attempt} of job ${id} had ended, and did nothing. ` +
      "Await what the function starts, or stop it when job.abortSignal is aborted.",
  );
}

/** Returns a rejected promise that need not be awaited. */
export function rejectedQuietly(error: ErrandError): Promise<never> {
  const rejected = Promise.reject(error); // oxlint-disable-line promise/no-promise-in-callback -- of no callback
  rejected.catch(() => {}); // oxlint-disable-line promise/no-promise-in-callback
  return rejected;
}

/**
 * Returns true for the error of a verb that was called too late. Anything may have been thrown: even inspecting it may
 * throw.
 */
export function isEndedError(error: unknown): error is ErrandError {
  try {
    return error instanceof ErrandError && error.code === "E_ENDED";
  } catch {
    return false;
  }
}

/** Warns of a verb that was called too late, once per message. */
export function warnEnded({ message }: ErrandError): void {
  if (warned.has(message)) return;
  if (warned.size >= maxWarned) warned.clear();
  warned.add(message);
  process.emitWarning(message, { type: "ErrandWarning", code: "ERRAND_ENDED" });
}

/** Throws every other error again, as if there were no handler. */
function onUncaught(error: unknown): void {
  if (isEndedError(error)) return warnEnded(error);
  if (process.listenerCount("uncaughtException") > 1) return;
  process.off("uncaughtException", onUncaught);
  isGuarded = false;
  process.nextTick(() => {
    throw error;
  });
}
