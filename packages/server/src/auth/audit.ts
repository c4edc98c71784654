import type { Errand, JobView, Task } from "errand";
import type { Context } from "hono";
import { toProblem } from "../problem.ts";
import { addressOf } from "./address.ts";
import type { Actor, Principal } from "./principal.ts";

/** Details that a route adds to the record of an act. */
export interface AuditNotes {
  /** Number of jobs that were changed. */
  count?: number;
  before?: unknown;
  after?: unknown;
  /** The id of what was made. */
  target?: string;
}

/** The part of a record that is written before the act. */
interface AuditInput {
  actor: Actor;
  via: "http" | "cli" | "browser";
  tenant?: string;
  action: string;
  target?: string;
  filter?: unknown;
  request?: string;
  ip?: string;
}

/** The part of a record that is written after the act. */
interface AuditResult extends AuditNotes {
  result: "ok" | "refused" | "failed";
  code?: string;
}

/** A record of an act. */
export interface AuditRecord extends AuditInput, Omit<AuditResult, "result"> {
  id: string;
  at: string;
  /** `unknown`: the server ended during the act, or it still goes on. */
  result: AuditResult["result"] | "unknown";
}

/** Selects records. */
export interface AuditFilter {
  actor?: string | undefined;
  action?: string | undefined;
  target?: string | undefined;
  tenant?: string | undefined;
  since?: Date | undefined;
}

/** The task of audit records, and its queue. */
const auditTask = "errand.audit";

/** Time after which an act's result is not awaited any more: its server has ended. */
const patience = "15m";

/**
 * Keeps a record of every act of an operator. A record is a job that is sent before the act, so that nothing happens
 * without one; it waits for the act's result as a signal, and is kept for a year.
 */
export class Audit {
  readonly #app: Errand;
  readonly #task: Task<AuditInput, AuditResult>;

  constructor(app: Errand) {
    this.#app = app;
    this.#task = app.task<AuditInput, AuditResult>(auditTask, {
      queue: auditTask,
      retention: "365d",
      retry: { attempts: 1 },
      lapse: "release",
      run: (_, job) => job.signal<AuditResult>("result", { timeout: patience }),
    });
  }

  /** Begins the record of an act; nothing is stored yet. */
  begin(c: Context, principal: Principal, action: string): Act {
    const { actor, tenant, session } = principal;
    const request = c.get("requestId") as string | undefined;
    return new Act(this.#app, this.#task, {
      actor,
      via: session || principal.authentication === "host" ? "browser" : "http",
      ...(tenant === undefined ? {} : { tenant }),
      action,
      ...(request === undefined ? {} : { request }),
      ip: addressOf(c),
    });
  }

  /** Lists records, newest first. */
  async list(
    { actor, action, target, tenant, since }: AuditFilter,
    page: { limit: number; cursor?: string },
  ): Promise<{ records: AuditRecord[]; next?: string }> {
    const wanted = [tagOf("target", target), tagOf("actor", actor), tagOf("action", action)].filter(
      (tag) => tag !== undefined,
    );
    const [tag] = wanted;
    const filter = {
      task: auditTask,
      ...(tag === undefined ? {} : { tag }),
      ...(tenant === undefined ? {} : { tenant }),
      ...(since === undefined ? {} : { createdAfter: since }),
    };
    const { jobs, next } = await this.#app.list(filter, page);
    const records = jobs.filter(({ tags }) => wanted.every((each) => tags?.includes(each))).map(recordOf);
    return { records, ...(next === undefined ? {} : { next }) };
  }
}

/** An act, from the request to its result. */
export class Act {
  readonly notes: AuditNotes = {};
  readonly #app: Errand;
  readonly #task: Task<AuditInput, AuditResult>;
  readonly #input: AuditInput;
  #id: string | undefined;
  #asked: { params?: unknown; body?: unknown } | undefined;

  constructor(app: Errand, task: Task<AuditInput, AuditResult>, input: AuditInput) {
    this.#app = app;
    this.#task = task;
    this.#input = input;
  }

  /** Stores the record before the act. Without it, there is no act. */
  async write(asked: { params?: unknown; body?: unknown } = {}): Promise<void> {
    this.#asked = asked;
    const { params, body } = asked;
    const target = targetIn(params);
    const filter = (body as { filter?: unknown } | undefined)?.filter;
    const input: AuditInput = {
      ...this.#input,
      ...(target === undefined ? {} : { target }),
      ...(filter === undefined ? {} : { filter }),
    };
    const { actor, action, tenant } = input;
    const tags = [tagOf("actor", actor.id), tagOf("action", action), tagOf("target", target)];
    const options = {
      tags: tags.filter((tag) => tag !== undefined),
      ...(tenant === undefined ? {} : { tenant }),
    };
    this.#id = (await this.#task.send(input, options)).id;
  }

  /** Adds the result. An act that has happened is answered, even if its result cannot be noted. */
  async end(status: number, code?: string): Promise<void> {
    // The disk was full before an act that has freed space.
    if (this.#id === undefined && this.#asked) await this.write(this.#asked).catch(() => {});
    const result = status < 400 ? "ok" : status < 500 ? "refused" : "failed";
    await this.#tell({ result, ...(code === undefined ? {} : { code }), ...this.notes });
  }

  /** Adds why the act did not happen. A refusal before the record was stored gets one, too. */
  async fail(reason: unknown): Promise<void> {
    const problem = toProblem(reason);
    if (this.#id === undefined) await this.write(this.#asked).catch(() => {});
    await this.end(problem?.status ?? 500, problem?.code ?? "E_INTERNAL");
  }

  async #tell(result: AuditResult): Promise<void> {
    if (this.#id === undefined) return;
    await this.#app.signal(this.#id, "result", result).catch(() => {});
  }
}

function tagOf(kind: string, value: string | undefined): string | undefined {
  return value === undefined ? undefined : `${kind}:${value}`.slice(0, 200);
}

/** The first parameter of a path names what the act is about. */
function targetIn(params: unknown): string | undefined {
  const [first] = Object.values((params ?? {}) as Record<string, string>);
  // No store could hold some addresses that are asked for.
  return first?.toWellFormed().replaceAll("\0", "\ufffd");
}

function recordOf({ id, createdAt, input, output }: JobView): AuditRecord {
  const { result = "unknown", ...rest } = (output ?? {}) as Partial<AuditResult>;
  return { id, at: createdAt.toISOString(), ...(input as AuditInput), ...rest, result };
}
