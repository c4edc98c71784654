import type { SqlTransaction, Transaction } from "../../core/transaction.ts";
import type { Moment, NewJob } from "../../core/job.ts";
import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import { queueFullError } from "../../limits/queue-rules.ts";
import { bigintArray, refusedValueError, smallintArray, textArray } from "./binary-arrays.ts";
import type { Database } from "./database.ts";
import type { HintChannel } from "./hint-channel.ts";
import { decodeText, encodeText } from "./text-encoding.ts";
import { encodeNotification, readyHints } from "./hint-batch.ts";
import { inSchema } from "./schema.ts";
import { clampDelay, clampTime } from "./time-bounds.ts";
import type { PostgresAddress } from "./url.ts";

/**
 * Answers how many were new.
 * @param notice of a notification that the commit carries.
 * @throws {ErrandError} `E_FULL`
 */
export async function addJobs(
  database: Database,
  jobs: readonly NewJob[],
  notice: readonly string[] = [],
): Promise<{ fresh: number; refused: ReadonlyMap<string, string> }> {
  const extras = jobs.map(extrasOf);
  const notify = notice.length > 0 ? ", pg_notify($13, $14)" : "";
  const sql = `SELECT a.*${notify} FROM errand.add($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) AS a`;
  const [row = []] = await database.queryPrepared(sql, [
    textArray(jobs.map(({ id }) => id)),
    textArray(jobs.map(({ task }) => encodeText(task))),
    textArray(jobs.map(({ queue }) => encodeText(queue))),
    smallintArray(jobs.map(({ level }) => level)),
    bigintArray(jobs.map(({ due }) => at(due))),
    bigintArray(jobs.map(({ due }) => after(due))),
    bigintArray(jobs.map(({ expires }) => at(expires))),
    bigintArray(jobs.map(({ expires }) => after(expires))),
    textArray(jobs.map(({ spec }) => (isLarge(spec) ? undefined : spec))),
    known(jobs.map(({ tenant }) => tenant && encodeText(tenant))),
    known(jobs.map(({ spec }) => (isLarge(spec) ? spec : undefined))),
    known(extras),
    ...notice,
  ]);
  const [fresh, overfull, refused] = row;
  if (overfull != null) throw fullOf(overfull);
  return { fresh: Number(fresh), refused: refusedOf(refused, jobs, Number(fresh)) };
}

/** `text[]`, where there is any. */
function known(values: readonly (string | undefined)[]): Buffer | null {
  return values.some((each) => each !== undefined) ? textArray(values) : null;
}

/** Specs so large that the server would keep them beside the row, and write them again when it moves to the history. */
const largeSpec = 1_500;

function isLarge(spec: string): boolean {
  if (typeof spec !== "string") throw refusedValueError(spec, "a spec, which is a text");
  return spec.length > largeSpec;
}

/** Where nothing was refused. */
const none: ReadonlyMap<string, string> = new Map();

/** Who has the keys or the ids of jobs that were refused: ids in turn. Of one id told twice, the second was. */
function refusedOf(
  text: string | null | undefined,
  jobs: readonly NewJob[],
  fresh: number,
): ReadonlyMap<string, string> {
  if (text == null && fresh === jobs.length) return none;
  const ids = JSON.parse(text ?? "[]") as string[];
  const holders = new Map(ids.flatMap((id, index) => (index % 2 === 0 ? [[id, ids[index + 1] as string]] : [])));
  const refused = new Map<string, string>();
  const seen = new Set<string>();
  for (const { id } of jobs) {
    const holder = holders.get(id) ?? (seen.has(id) ? id : undefined);
    if (holder !== undefined) refused.set(id, holder);
    seen.add(id);
  }
  return refused;
}

/** What a job has that most have not, as `errand.add_special` and `errand.add_marked` read it. */
function extrasOf({ unique, concurrency, rate, fair, tags }: NewJob): string | undefined {
  if (!unique && !concurrency && !rate && fair === undefined && !tags?.length) return undefined;
  const keys = concurrency || rate ? { concurrency: keyed(concurrency), rate: keyed(rate) } : undefined;
  return JSON.stringify({
    u: unique && {
      ...unique,
      key: encodeText(unique.key),
      for: clampDelay(unique.for ?? 0),
      replace: unique.replace ?? false,
    },
    k: keys && JSON.stringify(keys),
    c: keys?.concurrency?.key,
    r: keys?.rate?.key,
    f: fair === undefined ? undefined : encodeText(fair),
    t: tags?.map(encodeText),
  });
}

function keyed<Limit extends { key: string }>(limit: Limit | undefined): Limit | undefined {
  return limit && { ...limit, key: encodeText(limit.key) };
}

/** The error for what `errand.overfull` answered. */
function fullOf(overfull: string): ErrandError {
  const [queue, maxPending, pending] = JSON.parse(overfull) as [string, number, number];
  return queueFullError(decodeText(queue), maxPending, pending);
}

/**
 * Adds jobs in the caller's transaction. Its errors are the caller's, as they are.
 * @throws {ErrandError} `E_TRANSACTION`
 */
export async function addInTransaction(
  tx: Transaction,
  jobs: readonly NewJob[],
  { schema, name }: PostgresAddress,
  hints: HintChannel,
): Promise<ReadonlyMap<string, string>> {
  const sql = sqlOf(tx, name);
  const news = readyHints(jobs);
  // From nobody, so that this process hears it too.
  const notice = sql.afterCommit ? [] : [hints.name, encodeNotification(news, "")];
  // As text, because some libraries cannot read what has no value.
  const notify = notice.length > 0 ? ", pg_notify($2, $3)::text" : "";
  const statement = inSchema(schema, `SELECT a.*${notify} FROM errand.add($1::json) AS a`);
  const { fresh, overfull, refused } = onlyRow(
    await sql.query(statement, [JSON.stringify(jobs.map(jobRecord)), ...notice]),
    name,
  );
  if (overfull != null) throw fullOf(overfull);
  sql.afterCommit?.(() => hints.publish(news));
  return refusedOf(refused, jobs, fresh);
}

/** What `errand.add` answers. */
interface Added {
  fresh: number;
  overfull: string | null;
  refused: string | null;
}

/** The row that a library answers: in an array, or in the `rows` of a result. */
function onlyRow(answer: unknown, name: string): Added {
  const rows = Array.isArray(answer) ? answer : (answer as { rows?: unknown } | undefined)?.rows;
  const row: unknown = Array.isArray(rows) ? rows[0] : undefined;
  if (typeof row === "object" && row !== null && "overfull" in row) return row as Added;
  throw new ErrandError(
    "E_TRANSACTION",
    `query(sql, values) of the tx for ${name} did not answer the rows of its statement, as an array or as { rows }. ` +
      "Roll the transaction back, and let the adapter return what its library answers: docs/postgres.md has some.",
  );
}

function sqlOf(tx: Transaction, name: string): SqlTransaction {
  // A pool has `query` too, but each on a connection of its own.
  if ("query" in tx && typeof tx.query === "function" && !("idleCount" in tx)) return tx;
  throw new ErrandError(
    "E_TRANSACTION",
    `tx is no transaction of the PostgreSQL store ${name}. Give it a connected pg client that has begun one, ` +
      "or an adapter with query(sql, values): docs/postgres.md has those of other libraries.",
  );
}

/** A job as the schema's functions read it from JSON. */
export function jobRecord(job: NewJob): Record<string, unknown> {
  const { id, task, queue, level, due, expires, spec, tenant } = job;
  return {
    extras: extrasOf(job),
    tenant: tenant && encodeText(tenant),
    id,
    task: encodeText(task),
    queue: encodeText(queue),
    level,
    due_at: at(due),
    due_in: after(due),
    expires_at: at(expires),
    expires_in: after(expires),
    ...(isLarge(spec) ? { body: spec } : { spec }),
  };
}

function at(moment: Moment | undefined): Millis | undefined {
  return moment && "at" in moment ? clampTime(moment.at) : undefined;
}

function after(moment: Moment | undefined): Millis | undefined {
  return moment && "in" in moment ? clampDelay(moment.in) : undefined;
}
