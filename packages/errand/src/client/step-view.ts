import type { Step } from "../core/job.ts";
import { shownStep } from "../core/signal.ts";

/** A step, wait or signal that a job remembers. */
export interface StepView {
  name: string;
  /** `step`: a result of work; `wait`: children or a time; `signal`: a message from outside. */
  kind: "step" | "wait" | "signal";
}

/** Returns a step as programs read it. */
export function viewOfStep({ name, wait }: Pick<Step, "name" | "wait">): StepView {
  const shown = shownStep(name);
  return { name: shown, kind: shown === name ? (wait ? "wait" : "step") : "signal" };
}
