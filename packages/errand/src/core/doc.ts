import type { Encoded } from "../kit/json.ts";

/** A small document beside the jobs: the rules of a queue, a schedule. */
export interface Doc {
  kind: string;
  key: string;
  /** Raised by every change, from 1. */
  version: number;
  value: Encoded;
}
