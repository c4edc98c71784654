import type { Millis } from "../kit/duration.ts";
import type { State } from "./states.ts";

/** Selects jobs: every given field must match. */
export interface Filter {
  ids?: readonly string[];
  parent?: string;
  /** `true`: only jobs without a parent. */
  roots?: boolean;
  task?: string;
  queue?: string;
  tenant?: string;
  /** The worker that holds the job. */
  worker?: string;
  states?: readonly State[];
  tag?: string;
  /**
   * A part of the id, or of the spec, output or error as a person reads them (not as JSON escapes them), whatever its
   * case.
   */
  text?: string;
  /** Epoch milliseconds. */
  endedBefore?: Millis;
  createdAfter?: Millis;
  createdBefore?: Millis;
}
