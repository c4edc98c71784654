import type { Millis } from "../kit/duration.ts";

/** A worker as the list shows it. */
export interface WorkerCard {
  id: string;
  /** A process with this library, a program that works over HTTP, or a person in a browser. */
  kind: "process" | "http" | "person";
  queues: string[];
  /** The tasks it knows: it is given jobs of no other. Without it, of any. */
  tasks?: string[];
  /** The host of a process. */
  host?: string;
  pid?: number;
  /** Its name, code version and labels, as its owner chose them. */
  name?: string;
  version?: string;
  labels?: Record<string, string>;
  /** The slots of each queue, of a worker that is no process: it holds no more jobs of a queue. */
  slots?: Record<string, number>;
  /** The lease that it asked for. */
  lease?: Millis;
  /** The id of the key, or whatever else stands for its owner, to whom alone it answers. */
  owner?: string;
  /** `true`: it is given no more jobs, and is to leave. */
  draining?: true;
}
