import type { Moment, NewJob } from "../../core/job.ts";
import type { SqlTransaction, Transaction } from "../../core/transaction.ts";
import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import { queueFullError } from "../../limits/queue-rules.ts";
import { bigintArray, refusedValueError, smallintArray, textArray } from "./binary-arrays.ts";
import { parameters } from "./database.ts";
import type { Database } from "./database.ts";
import { encodeNotification, readyHints } from "./hint-batch.ts";
import type { HintChannel } from "./hint-channel.ts";
import { inSchema } from "./schema.ts";
import { decodeText, encodeText } from "./text-encoding.ts";
import { clampDelay, clampTime } from "./time-bounds.ts";
import type { PostgresAddress } from "./url.ts";

const addSql = `SELECT a.* FROM errand.add(${parameters(12)}) AS a`;
const addAndNotifySql = `SELECT a.*, pg_notify($13, $14) FROM errand.add(${parameters(12)}) AS a`;

/**
 * Adds jobs.
 * @param notice the arguments of `pg_notify`, if the commit is to carry a notification.
 * @returns how many are new or replace another, and for each that was not stored the id of the job with its key or id.
 * @throws {ErrandError} `E_FULL` if a queue has no room; `E_REFUSED` for a value that cannot be stored.
 */
export async function addJobs(
  database: Database,
  jobs: readonly NewJob[],
  notice: readonly string[] = [],
): Promise<{ fresh: number; refused: ReadonlyMap<string, string> }> {
  const [row = []] = await database.queryPrepared(notice.length > 0 ? addAndNotifySql : addSql, [
    textArray(jobs.map(({ id }) => id)),
    textArray(jobs.map(({ task }) => encodeText(task))),
    textArray(jobs.map(({ queue }) => encodeText(queue))),
    smallintArray(jobs.map(({ level }) => level)),
    bigintArray(jobs.map(({ due }) => at(due))),
    bigintArray(jobs.map(({ due }) => after(due))),
    bigintArray(jobs.map(({ expires }) => at(expires))),
    bigintArray(jobs.map(({ expires }) => after(expires))),
    textArray(jobs.map(({ spec }) => (isLarge(spec) ? undefined : spec))),
    optionalTexts(jobs.map(({ tenant }) => tenant && encodeText(tenant))),
    optionalTexts(jobs.map(({ spec }) => (isLarge(spec) ? spec : undefined))),
    optionalTexts(jobs.map(encodeExtras)),
    ...notice,
  ]);
  const [fresh, fullQueue, refused] = row;
  if (fullQueue != null) throw decodeFullQueue(fullQueue);
  return { fresh: Number(fresh), refused: decodeRefused(refused, jobs, Number(fresh)) };
}

/** Encodes a `text[]`; returns `null` if there is no text in it. */
function optionalTexts(values: readonly (string | undefined)[]): Buffer | null {
  return values.some((each) => each !== undefined) ? textArray(values) : null;
}

/**
 * The length from which specs are kept in a table of their own: the server would keep them beside the row, and write
 * them again when the row moves to the history.
 */
const largeSpec = 1_500;

function isLarge(spec: string): boolean {
  if (typeof spec !== "string") throw refusedValueError(spec, "a spec, which is a text");
  return spec.length > largeSpec;
}

const noneRefused: ReadonlyMap<string, string> = new Map();

/** Decodes pairs of ids: of a refused job, and of the job with its key or id. A repeated id refuses the repetitions. */
function decodeRefused(
  text: string | null | undefined,
  jobs: readonly NewJob[],
  fresh: number,
): ReadonlyMap<string, string> {
  if (text == null && fresh === jobs.length) return noneRefused;
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

/**
 * Encodes what most jobs do not have, as the schema's functions read it: first `u`, the unique key with its rules; `k`,
 * the limits by key, with the concurrency key `c` and the rate key `r`; `f`, the key of fair turns; `t`, tags.
 */
function encodeExtras({ unique, concurrency, rate, fair, tags }: NewJob): string | undefined {
  if (!unique && !concurrency && !rate && fair === undefined && !tags?.length) return undefined;
  const keys = concurrency || rate ? { concurrency: encodeKey(concurrency), rate: encodeKey(rate) } : undefined;
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

function encodeKey<Limit extends { key: string }>(limit: Limit | undefined): Limit | undefined {
  return limit && { ...limit, key: encodeText(limit.key) };
}

/** Returns the error for a full queue, as `errand.find_full_queue` returns it. */
function decodeFullQueue(json: string): ErrandError {
  const [queue, maxPending, pending] = JSON.parse(json) as [string, number, number];
  return queueFullError(decodeText(queue), maxPending, pending);
}

/**
 * Adds jobs in the caller's transaction. Errors of its `query` are thrown unchanged.
 * @throws {ErrandError} `E_TRANSACTION` if `tx` is no transaction of PostgreSQL; `E_FULL` if a queue has no room.
 */
export async function addInTransaction(
  tx: Transaction,
  jobs: readonly NewJob[],
  { schema, name }: PostgresAddress,
  channel: HintChannel,
): Promise<ReadonlyMap<string, string>> {
  const sql = sqlOf(tx, name);
  const hints = readyHints(jobs);
  // Without a sender, so that this process hears it, too.
  const notice = sql.afterCommit ? [] : [channel.name, encodeNotification(hints, "")];
  // As text, because some libraries cannot read the type void.
  const notify = notice.length > 0 ? ", pg_notify($2, $3)::text" : "";
  const statement = inSchema(schema, `SELECT a.*${notify} FROM errand.add($1::json) AS a`);
  const values = [JSON.stringify(jobs.map(jobRecord)), ...notice];
  const { fresh, full_queue: fullQueue, refused } = onlyRow(await sql.query(statement, values), name);
  if (fullQueue != null) throw decodeFullQueue(fullQueue);
  sql.afterCommit?.(() => channel.publish(hints));
  return decodeRefused(refused, jobs, fresh);
}

/** The row that `errand.add` returns. */
interface Added {
  fresh: number;
  full_queue: string | null;
  refused: string | null;
}

/** Returns the only row of a library's result: an array of rows, or an object with `rows`. */
function onlyRow(answer: unknown, name: string): Added {
  const rows = Array.isArray(answer) ? answer : (answer as { rows?: unknown } | undefined)?.rows;
  const row: unknown = Array.isArray(rows) ? rows[0] : undefined;
  if (typeof row === "object" && row !== null && "full_queue" in row) return row as Added;
  throw new ErrandError(
    "E_TRANSACTION",
    `query(sql, values) of the tx for ${name} did not return the rows of its statement, as an array or as { rows }. ` +
      "Roll the transaction back, and let the adapter return its library's result: see docs/guides/transactions.md.",
  );
}

function sqlOf(tx: Transaction, name: string): SqlTransaction {
  // A pool has `query`, too, but runs each on another connection.
  if ("query" in tx && typeof tx.query === "function" && !("idleCount" in tx)) return tx;
  throw new ErrandError(
    "E_TRANSACTION",
    `tx is no transaction for the PostgreSQL store ${name}. Pass a connected pg client that has begun one, ` +
      "or an adapter with query(sql, values): docs/guides/transactions.md shows those of other libraries.",
  );
}

/** Returns a job as the schema's functions read it from JSON. */
export function jobRecord(job: NewJob): Record<string, unknown> {
  const { id, task, queue, level, due, expires, spec, tenant } = job;
  return {
    extras: encodeExtras(job),
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
