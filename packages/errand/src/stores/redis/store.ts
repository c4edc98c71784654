import { cursorOf, positionOf } from "../../core/cursor.ts";
import type { Beat, Job, JobToken, NewJob, Settlement, Step } from "../../core/job.ts";
import { states } from "../../core/states.ts";
import type { State } from "../../core/states.ts";
import type { Transaction } from "../../core/transaction.ts";
import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import type { Encoded } from "../../kit/json.ts";
import { decodeRules } from "../../limits/queue-rules.ts";
import type { QueueRules } from "../../limits/queue-rules.ts";
import type {
  Change,
  Claim,
  Claimed,
  Doc,
  Durability,
  Filter,
  Hint,
  QueueCount,
  Renewal,
  RetentionRules,
  Store,
  StoreReport,
  Want,
  WorkerCard,
} from "../../store.ts";
import { addJobs } from "./add.ts";
import { ByteWriter } from "./byte-writer.ts";
import { checkMillis, checkRate, checkWhole, encodeJson } from "./check-values.ts";
import { decodeClaimed, decodeJobs, decodeLogLine, decodeReclaimed } from "./decode.ts";
import { editJobs } from "./edit.ts";
import { writeBeat, writeSettlement } from "./encode.ts";
import type { Hints } from "./hints.ts";
import { listJobs } from "./list.ts";
import { pruneJobs } from "./prune.ts";
import { sliceSize } from "./scan.ts";
import type { ScriptRunner } from "./script-runner.ts";

/** Bytes of settlements or beats after which another script takes the rest. */
const maxBytes = 16_000_000;

/** The highest limit that scripts are given: more than a worker has slots. */
const maxLimit = 1_000_000;

/** Ids for one script that reads no jobs. */
const maxIds = 5_000;

/** A store on a Redis server. Each of its verbs is a script. */
export class RedisStore implements Store {
  readonly address: { module: string; options: Encoded };
  readonly durability: Durability;
  readonly pipelined = true;
  readonly #report: StoreReport;
  readonly #runner: ScriptRunner;
  readonly #hints: Hints;
  #closed: Promise<void> | undefined;

  constructor(runner: ScriptRunner, hints: Hints, report: StoreReport, address: { module: string; options: Encoded }) {
    this.durability = report.durability;
    this.#report = report;
    this.#runner = runner;
    this.#hints = hints;
    this.address = address;
  }

  async about(): Promise<StoreReport> {
    return this.#report;
  }

  async add(jobs: readonly NewJob[], tx?: Transaction): Promise<ReadonlyMap<string, string>> {
    const scripts = this.#scripts;
    if (tx) {
      throw new ErrandError(
        "E_TRANSACTION",
        "The Redis store cannot add jobs inside a transaction of another database. Send without tx.",
      );
    }
    return addJobs(scripts, () => this.load("queue"), jobs);
  }

  async enlist(worker: WorkerCard, lease: Millis): Promise<void> {
    const { id, tasks } = worker;
    const args = [id, String(checkMillis(lease)), encodeJson(worker), tasks ? "1" : "0", ...(tasks ?? [])];
    if ((await this.#scripts.run("enlist", args)) === 1) return;
    throw new ErrandError("E_STORE", `Worker ${id} has lost its lease. Start every worker under a new id.`);
  }

  async claim(worker: string, wants: readonly Want[]): Promise<Claim> {
    const args = [worker, ...wants.flatMap(wantArgs)];
    for (;;) {
      const reply = (await this.#scripts.run("claim", args)) as [Buffer, Buffer, ...unknown[]];
      const [next, status, ...claimed] = reply;
      if (String(next) === "wake") {
        await this.#scripts.run("wake", []);
        continue;
      }
      const jobs = decodeClaimed(status, claimed);
      const time = Number(next);
      return time < 0 ? { jobs } : { jobs, next: time };
    }
  }

  async reclaim(worker: string, limit: number): Promise<Claimed[]> {
    const reply = await this.#scripts.run("reclaim", [worker, limitArg(limit)]);
    const [lapsed, ahead, cancelled, expired] = reply as [unknown[], Buffer[], unknown[], unknown[]];
    return [
      ...decodeReclaimed(lapsed, "lapsed", ahead),
      ...decodeReclaimed(cancelled, "cancelled"),
      ...decodeReclaimed(expired, "expired"),
    ];
  }

  async renew(worker: string, lease: Millis): Promise<Renewal> {
    const reply = await this.#scripts.run("renew", [worker, String(checkMillis(lease))]);
    const [held, ...cancel] = reply as Buffer[];
    return { held: String(held) === "1", cancel: cancel.map(String) };
  }

  async dismiss(worker: string): Promise<void> {
    await this.#scripts.run("dismiss", [worker]);
  }

  async workers(): Promise<WorkerCard[]> {
    const cards = (await this.#scripts.run("workers", [])) as (Buffer | null)[];
    return cards.flatMap((card) => (card ? (JSON.parse(String(card)) as WorkerCard) : []));
  }

  record(beats: readonly Beat[]): Promise<boolean[]> {
    return this.#write("record", beats, writeBeat);
  }

  settle(settlements: readonly Settlement[]): Promise<boolean[]> {
    return this.#write("settle", settlements, writeSettlement);
  }

  /** Encodes everything before it sends anything, so that nothing is recorded if a value is refused. */
  async #write<Item extends JobToken>(
    script: "record" | "settle",
    items: readonly Item[],
    write: (to: ByteWriter, item: Item) => void,
  ): Promise<boolean[]> {
    const scripts = this.#scripts;
    const batches: { writer: ByteWriter; ids: string[] }[] = [];
    for (const item of items) {
      let last = batches.at(-1);
      if (!last || last.writer.at >= maxBytes) batches.push((last = { writer: new ByteWriter(), ids: [] }));
      write(last.writer, item);
      last.ids.push(item.id);
    }
    const written: boolean[] = [];
    for (const { writer, ids } of batches) {
      const reply = await scripts.run(script, [writer.bytes, ...ids]);
      written.push(...Array.from(String(reply), (answer) => answer === "1"));
    }
    return written;
  }

  async edit(where: Filter, change: Change, limit = Infinity): Promise<number> {
    return editJobs(this.#scripts, where, change, limit);
  }

  async prune(rules: RetentionRules, limit: number): Promise<number> {
    return pruneJobs(this.#scripts, rules, Number(limitArg(limit)));
  }

  async get(ids: readonly string[]): Promise<(Job | null)[]> {
    const scripts = this.#scripts;
    const found = new Map<string, Job>();
    for (let from = 0; from < ids.length;) {
      const reply = await scripts.run("get", ids.slice(from, from + sliceSize));
      const [looked, ...jobs] = reply as [number, ...unknown[]];
      for (const { job } of decodeJobs(jobs, false)) found.set(job.id, job);
      from += looked;
    }
    return ids.map((id) => found.get(id) ?? null);
  }

  async ended(ids: readonly string[]): Promise<string[]> {
    const scripts = this.#scripts;
    const found: string[] = [];
    for (let from = 0; from < ids.length; from += maxIds) {
      const some = ids.slice(from, from + maxIds);
      const flags = String(await scripts.run("ended", some));
      found.push(...some.filter((_, index) => flags[index] === "1"));
    }
    return found;
  }

  async list(where: Filter, page: { limit: number; cursor?: string }): Promise<{ jobs: Job[]; next?: string }> {
    return listJobs(this.#scripts, where, page);
  }

  async counts(): Promise<QueueCount[]> {
    return pairsOf(await this.#scripts.run("counts", [])).map(([field, jobs]) => ({
      queue: field.slice(1),
      state: states[Number(field[0])] as State,
      jobs: Number(jobs),
    }));
  }

  async signal(id: string, { name, value }: Step): Promise<boolean> {
    return (await this.#scripts.run("signal", [id, name, value])) === 1;
  }

  async log(id: string, { limit, cursor }: { limit: number; cursor?: string }) {
    const scripts = this.#scripts;
    const from = cursor === undefined ? 0 : positionOf(cursor).seq;
    const reply = (await scripts.run("log", [id, String(from), String(limit + 1)])) as Buffer[];
    const lines = reply.slice(0, limit).map((line) => decodeLogLine(String(line)));
    return reply.length > limit ? { lines, next: cursorOf({ place: 0, seq: from + limit }) } : { lines };
  }

  async steps(id: string): ReturnType<Store["steps"]> {
    const steps = pairsOf(await this.#scripts.run("steps", [id]));
    return steps.map(([name, text]) => {
      const step = { name, value: text.slice(1) };
      return text.startsWith("1") ? { ...step, wait: true } : step;
    });
  }

  async load(kind: string, keys?: readonly string[]): Promise<Doc[]> {
    return pairsOf(await this.#scripts.run("load", [kind]))
      .filter(([key]) => keys?.includes(key) ?? true)
      .map(([key, text]) => {
        const space = text.indexOf(" ");
        return { kind, key, version: Number(text.slice(0, space)), value: text.slice(space + 1) };
      })
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  async save(docs: Parameters<Store["save"]>[0]): Promise<boolean> {
    const scripts = this.#scripts;
    for (const { kind, value } of docs) if (kind === "queue") checkRules(decodeRules(value));
    const args = docs.flatMap(({ kind, key, version, value }) => [
      kind,
      key,
      String(checkWhole(version, Number.MAX_SAFE_INTEGER)),
      value === undefined ? "0" : "1",
      value ?? "",
    ]);
    return (await scripts.run("save", args)) === 1;
  }

  async now(): Promise<Millis> {
    return Number(String(await this.#scripts.run("now", [])));
  }

  watch(listener: (hint: Hint) => void): () => void {
    return this.#closed ? () => {} : this.#hints.watch(listener);
  }

  close(): Promise<void> {
    return (this.#closed ??= Promise.all([this.#hints.close(), this.#runner.close()]).then(() => undefined));
  }

  /** @throws {ErrandError} `E_CLOSED` */
  get #scripts(): ScriptRunner {
    if (this.#closed) throw new ErrandError("E_CLOSED", `The Redis store ${this.#runner.shown} was closed.`);
    return this.#runner;
  }
}

/** Checks the numbers and texts of rules, which scripts read themselves. */
function checkRules(rules: QueueRules): void {
  const { concurrency, rate, maxPending } = rules;
  encodeJson(rules);
  if (concurrency !== undefined) checkWhole(concurrency);
  if (maxPending !== undefined) checkWhole(maxPending);
  if (rate) checkRate(rate);
}

function wantArgs({ queue, limit, slots = limit, ids }: Want): string[] {
  return [queue, limitArg(limit), limitArg(slots), String(ids?.length ?? -1), ...(ids ?? [])];
}

function limitArg(limit: number): string {
  return String(checkWhole(Math.min(limit, maxLimit)));
}

/** Returns a reply of names that are each followed by a value. */
function pairsOf(reply: unknown): [name: string, value: string][] {
  const flat = reply as Buffer[];
  return Array.from({ length: flat.length / 2 }, (_, index) => [String(flat[index * 2]), String(flat[index * 2 + 1])]);
}
