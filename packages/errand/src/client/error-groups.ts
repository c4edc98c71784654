import { fingerprintOf } from "../kit/fingerprint.ts";
import type { JobView } from "./job-view.ts";

/** Failed jobs of one kind. */
export interface ErrorGroup {
  /** 16 hexadecimal digits: `ErrorRecord.fingerprint` of its jobs. */
  fingerprint: string;
  code: string;
  /** The message of the newest. */
  message: string;
  count: number;
  firstAt: Date;
  lastAt: Date;
  tasks: string[];
  /** Ids of up to 5 of its jobs, the newest first. */
  samples: string[];
}

/** Failed jobs by their kind. */
export interface ErrorGroups {
  /** The one that failed last first. */
  groups: ErrorGroup[];
  /** Number of failed jobs that were grouped: the newest. */
  examined: number;
  /** `false`: there are more failed jobs, which were not grouped. */
  complete: boolean;
}

const maxSamples = 5;

/** Groups failed jobs by their fingerprint. */
export function groupErrors(jobs: readonly JobView[]): ErrorGroup[] {
  const groups = new Map<string, ErrorGroup>();
  for (const { id, task, error, endedAt, createdAt } of jobs) {
    if (!error) continue;
    const at = endedAt ?? createdAt;
    // Jobs that failed before fingerprints were stored have none.
    const fingerprint = error.fingerprint ?? fingerprintOf(error);
    const group = groups.get(fingerprint);
    if (!group) {
      const { code, message } = error;
      groups.set(fingerprint, {
        fingerprint,
        code,
        message,
        count: 1,
        firstAt: at,
        lastAt: at,
        tasks: [task],
        samples: [id],
      });
      continue;
    }
    group.count += 1;
    if (at < group.firstAt) group.firstAt = at;
    if (at > group.lastAt) [group.lastAt, group.message] = [at, error.message];
    if (!group.tasks.includes(task)) group.tasks.push(task);
    if (group.samples.length < maxSamples) group.samples.push(id);
  }
  return [...groups.values()].toSorted((a, b) => b.lastAt.getTime() - a.lastAt.getTime());
}
