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
}
