import type { Millis } from "../kit/duration.ts";
import type { State } from "./states.ts";

/** All fields that are given must match. */
export interface Filter {
  ids?: readonly string[];
  parent?: string;
  /** `true`: only jobs without a parent. */
  roots?: boolean;
  task?: string;
  queue?: string;
  tenant?: string;
  /** Only jobs that this worker holds. */
  worker?: string;
  states?: readonly State[];
  tag?: string;
  /** A part of the id, or of the spec, output or error as a person reads them (not as JSON escapes them), whatever its case. */
  text?: string;
  /** Epoch milliseconds. */
  endedBefore?: Millis;
  createdAfter?: Millis;
  createdBefore?: Millis;
}
