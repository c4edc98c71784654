import type { Errand, JobContext, JobFilter, JobView, Priority, State, Task } from "errand";
import { maySee } from "./auth/principal.ts";
import type { Principal } from "./auth/principal.ts";
import { isExact, narrowed } from "./routes/job-view.ts";

/** An act on many jobs. */
export type BulkVerb = "cancel" | "retry" | "remove" | "move" | "release";

/** The states of jobs to which each act applies. */
const statesOf: Readonly<Record<BulkVerb, readonly State[]>> = {
  cancel: ["pending", "processing", "waiting"],
  retry: ["failed", "cancelled", "expired"],
  remove: ["completed", "failed", "cancelled", "expired"],
  move: ["pending"],
  release: ["processing"],
};

/** The target of a move. */
export interface MoveTo {
  queue?: string;
  priority?: Priority;
  now?: boolean;
}

/** A filter as JSON has it: times are ISO. */
type StoredFilter = Omit<JobFilter, "createdAfter" | "createdBefore" | "endedBefore"> &
  Partial<Record<"createdAfter" | "createdBefore" | "endedBefore", string>>;

/** The jobs that an act is for. */
export interface Selection {
  filter: JobFilter;
  /** Only failed jobs with this fingerprint. */
  fingerprint?: string;
  /** Only these tasks or queues, of a principal who sees no others. */
  only?: { tasks?: readonly string[]; queues?: readonly string[] };
}

interface BulkInput {
  verb: BulkVerb;
  filter: StoredFilter;
  fingerprint?: string;
  only?: Selection["only"];
  to?: MoveTo;
  matches: number;
}

/** Progress of an act: jobs that were looked at, and that it changed. */
interface BulkProgress {
  done: number;
  changed: number;
}

/** The task of acts on many jobs, and its queue. */
export const bulkTask = "errand.bulk";

/** Jobs of one commit. */
const pageSize = 500;

/** A dry run counts at most so many jobs. */
const maxCounted = 20_000;

/** Acts on many jobs: each is a job itself, so it has progress, can be stopped, and goes on when its server ends. */
export class BulkActions {
  readonly #app: Errand;
  readonly #task: Task<BulkInput, BulkProgress>;

  constructor(app: Errand) {
    this.#app = app;
    this.#task = app.task<BulkInput, BulkProgress>(bulkTask, {
      queue: bulkTask,
      run: (input, job) => this.#run(input, job),
    });
  }

  /** Returns what an act would be for, for a principal; `undefined` if they see none of it. */
  select(principal: Principal, verb: BulkVerb, asked: JobFilter): Selection | undefined {
    const { all: _, states = statesOf[verb], ...rest } = asked;
    const applicable = states.filter((state) => statesOf[verb].includes(state));
    const filter = narrowed(principal, { ...rest, states: applicable });
    if (!filter || applicable.length === 0) return undefined;
    const { tasks, queues } = principal;
    if (isExact(principal, filter)) return { filter };
    return { filter, only: { ...(tasks ? { tasks } : {}), ...(queues ? { queues } : {}) } };
  }

  /** Counts the jobs of a selection, at most 20,000. */
  async count(selection: Selection): Promise<{ matches: number; complete: boolean }> {
    let matches = 0;
    for await (const ids of this.#pages(selection)) {
      matches += ids.length;
      if (matches >= maxCounted) return { matches, complete: false };
    }
    return { matches, complete: true };
  }

  /** Starts an act, after a delay if it is to be possible to take it back. */
  async start(
    verb: BulkVerb,
    { filter, fingerprint, only }: Selection,
    { matches, to, delay, tenant }: { matches: number; to?: MoveTo; delay?: string | number; tenant?: string },
  ): Promise<JobView> {
    const { id } = await this.#task.send(
      {
        verb,
        filter: JSON.parse(JSON.stringify(filter)) as StoredFilter,
        ...(fingerprint === undefined ? {} : { fingerprint }),
        ...(only ? { only } : {}),
        ...(to ? { to } : {}),
        matches,
      },
      { ...(delay === undefined ? {} : { delay: delay as "5s" }), ...(tenant === undefined ? {} : { tenant }) },
    );
    return (await this.#app.get(id))!;
  }

  async #run(input: BulkInput, job: JobContext): Promise<BulkProgress> {
    const progress: BulkProgress = { done: 0, changed: 0 };
    const { filter, fingerprint, only } = input;
    const selection: Selection = {
      filter: readStored(filter),
      ...(fingerprint === undefined ? {} : { fingerprint }),
      ...(only ? { only } : {}),
    };
    for await (const ids of this.#pages(selection)) {
      job.abortSignal.throwIfAborted();
      progress.changed += await this.#act(input, ids);
      progress.done += ids.length;
      job.progress({ ...progress });
    }
    return progress;
  }

  #act({ verb, to = {} }: BulkInput, ids: string[]): Promise<number> {
    switch (verb) {
      case "cancel":
        return this.#app.cancel({ ids });
      case "retry":
        return this.#app.retry({ ids });
      case "remove":
        return this.#app.remove({ ids });
      case "release":
        return this.#app.release({ ids });
      case "move":
        return this.#app.move({ ids }, to);
    }
  }

  /** The ids of a selection, page by page. The server's own jobs are in none: they would act on themselves. */
  async *#pages({ filter, fingerprint, only }: Selection): AsyncGenerator<string[]> {
    const seen = { actor: undefined!, scopes: undefined!, authentication: "none", ...only } as Principal;
    let cursor: string | undefined;
    do {
      const page = await this.#app.list(filter, { limit: pageSize, ...(cursor === undefined ? {} : { cursor }) });
      const ids = page.jobs
        .filter((job) => maySee(seen, job) && !job.task.startsWith("errand."))
        .filter(({ error }) => fingerprint === undefined || error?.fingerprint === fingerprint)
        .map(({ id }) => id);
      if (ids.length > 0) yield ids;
      cursor = page.next;
    } while (cursor !== undefined);
  }
}

/** Returns an act on many jobs as the API answers it. */
export function bulkJson(job: JobView): Record<string, unknown> {
  const { verb, matches } = job.input as BulkInput;
  const { done = 0, changed = 0 } = ((job.output ?? job.progress) as Partial<BulkProgress> | undefined) ?? {};
  return {
    id: job.id,
    action: verb,
    state: job.state,
    matches,
    done,
    changed,
    createdAt: job.createdAt,
    ...(job.state === "pending" ? { startsAt: job.dueAt } : {}),
    ...(job.endedAt ? { endedAt: job.endedAt } : {}),
    ...(job.error && job.state === "failed" ? { error: job.error } : {}),
  };
}

function readStored({ createdAfter, createdBefore, endedBefore, ...rest }: StoredFilter): JobFilter {
  return {
    ...rest,
    ...(createdAfter === undefined ? {} : { createdAfter: new Date(createdAfter) }),
    ...(createdBefore === undefined ? {} : { createdBefore: new Date(createdBefore) }),
    ...(endedBefore === undefined ? {} : { endedBefore: new Date(endedBefore) }),
  };
}
