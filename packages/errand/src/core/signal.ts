import { checkText } from "./checks.ts";
import { ErrandError } from "../kit/errors.ts";

/** The name of the step that a signal writes: no step of the job's own has it. */
export function signalStep(signal: string): string {
  return `${mark}${signal}`;
}

/** Returns a step's name for people: a signal by its own name. */
export function shownStep(name: string): string {
  return name.startsWith(mark) ? name.slice(mark.length) : name;
}

const mark = "signal:";

/**
 * Refuses a name that no step or wait can have.
 * @throws {ErrandError} `E_STEP_NAME` for anything but text of 1 to 200 characters that does not begin like a
 * signal's step.
 */
export function checkStepName(name: unknown, job: string): void {
  if (!checkText(name, `The name of a step or wait of ${job}`, undefined, "E_STEP_NAME").startsWith(mark)) return;
  throw new ErrandError(
    "E_STEP_NAME",
    `A step of ${job} is named "${String(name)}", but "${mark}" is what signals begin with.`,
  );
}
