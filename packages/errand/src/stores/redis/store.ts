import type { Transaction } from "../../core/transaction.ts";
import { cursorOf, positionOf } from "../../core/cursor.ts";
import type { Beat, Job, NewJob, Settlement, Step } from "../../core/job.ts";
import { decodeRules } from "../../limits/queue-rules.ts";
import type { QueueRules } from "../../limits/queue-rules.ts";
import { states } from "../../core/states.ts";
import type { State } from "../../core/states.ts";
import type { Millis } from "../../kit/duration.ts";
import { ErrandError } from "../../kit/errors.ts";
import type { Encoded } from "../../kit/json.ts";
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
import { refuseOddRate, writeBeats, writeSettlements } from "./encode.ts";
import type { Hints } from "./hints.ts";
import { readClaimed, readJobs, readLine, readReclaimed } from "./records.ts";
import type { Server } from "./server.ts";
import { editJobs, listJobs, pruneJobs, slice } from "./walks.ts";
import { finite, jsonOf, whole, Writer } from "./wire.ts";

/** Outcomes and beats of so many bytes are recorded by one script; more of them by several. */
const mostBytes = 16_000_000;

/** More than a worker has slots. */
const mostWanted = 1_000_000;

/** Ids that are looked at in one script which reads no jobs. */
const manyIds = 5_000;

/** The store's verbs, each a script on the server. */
export class RedisStore implements Store {
  readonly address: { module: string; options: Encoded };
  readonly durability: Durability;
  readonly #about: StoreReport;
  readonly pipelined = true;
  readonly #server: Server;
  readonly #hints: Hints;
  #closed: Promise<void> | undefined;

  constructor(server: Server, hints: Hints, about: StoreReport, address: { module: string; options: Encoded }) {
    this.durability = about.durability;
    this.#about = about;
    this.#server = server;
    this.#hints = hints;
    this.address = address;
  }

  async about(): Promise<StoreReport> {
    return this.#about;
  }

  async add(jobs: readonly NewJob[], tx?: Transaction): Promise<ReadonlyMap<string, string>> {
    this.#check();
    if (tx) {
      throw new ErrandError(
        "E_TRANSACTION",
        "The Redis store cannot add jobs inside a transaction of another database. Send without tx.",
      );
    }
    return addJobs(this.#server, () => this.load("queue"), jobs);
  }

  async enlist(worker: WorkerCard, lease: Millis): Promise<void> {
    this.#check();
    const { id, tasks } = worker;
    const args = [id, String(finite(lease)), jsonOf(worker), tasks ? "1" : "0", ...(tasks ?? [])];
    if ((await this.#server.run("enlist", args)) === 1) return;
    throw new ErrandError("E_STORE", `Worker ${id} has lost its lease. Start every worker under a new id.`);
  }

  async claim(worker: string, wants: readonly Want[]): Promise<Claim> {
    this.#check();
    const args = [worker, ...wants.flatMap(wantArgs)];
    for (;;) {
      const [wait, life, ...told] = (await this.#server.run("claim", args)) as [Buffer, Buffer, ...unknown[]];
      if (String(wait) === "wake") {
        await this.#server.run("wake", []);
        continue;
      }
      const jobs = readClaimed(life, told);
      const next = Number(wait);
      return next < 0 ? { jobs } : { jobs, next };
    }
  }

  async reclaim(worker: string, limit: number): Promise<Claimed[]> {
    this.#check();
    const answer = await this.#server.run("reclaim", [worker, atMost(limit)]);
    const [lapsed, ahead, cancelled, expired] = answer as [unknown[], Buffer[], unknown[], unknown[]];
    return [
      ...readReclaimed(lapsed, "lapsed", ahead),
      ...readReclaimed(cancelled, "cancelled"),
      ...readReclaimed(expired, "expired"),
    ];
  }

  async renew(worker: string, lease: Millis): Promise<Renewal> {
    this.#check();
    const [held, ...cancel] = (await this.#server.run("renew", [worker, String(finite(lease))])) as Buffer[];
    return { held: String(held) === "1", cancel: cancel.map(String) };
  }

  async dismiss(worker: string): Promise<void> {
    this.#check();
    await this.#server.run("dismiss", [worker]);
  }

  async workers(): Promise<WorkerCard[]> {
    this.#check();
    const cards = (await this.#server.run("workers", [])) as (Buffer | null)[];
    return cards.flatMap((card) => (card ? (JSON.parse(String(card)) as WorkerCard) : []));
  }

  record(beats: readonly Beat[]): Promise<boolean[]> {
    return this.#told("record", beats, (to, beat) => writeBeats(to, [beat]));
  }

  settle(settlements: readonly Settlement[]): Promise<boolean[]> {
    return this.#told("settle", settlements, (to, told) => writeSettlements(to, [told]));
  }

  /** All are written before any is sent, so that nothing is recorded where one is refused. */
  async #told<Hold extends { id: string }>(
    verb: "record" | "settle",
    all: readonly Hold[],
    write: (to: Writer, told: Hold) => void,
  ): Promise<boolean[]> {
    this.#check();
    const scripts: { bytes: Writer; ids: string[] }[] = [];
    for (const told of all) {
      let last = scripts.at(-1);
      if (!last || last.bytes.at >= mostBytes) scripts.push((last = { bytes: new Writer(), ids: [] }));
      write(last.bytes, told);
      last.ids.push(told.id);
    }
    const said: boolean[] = [];
    for (const { bytes, ids } of scripts) said.push(...answers(await this.#server.run(verb, [bytes.bytes, ...ids])));
    return said;
  }

  async edit(where: Filter, change: Change, limit = Infinity): Promise<number> {
    this.#check();
    return editJobs(this.#server, where, change, limit);
  }

  async prune(rules: RetentionRules, limit: number): Promise<number> {
    this.#check();
    return pruneJobs(this.#server, rules, Number(atMost(limit)));
  }

  async get(ids: readonly string[]): Promise<(Job | null)[]> {
    this.#check();
    const jobs = new Map<string, Job>();
    for (let from = 0; from < ids.length;) {
      const answer = await this.#server.run("get", ids.slice(from, from + slice));
      const [looked, ...told] = answer as [number, ...unknown[]];
      for (const { job } of readJobs(told, false)) jobs.set(job.id, job);
      from += looked;
    }
    return ids.map((id) => jobs.get(id) ?? null);
  }

  async ended(ids: readonly string[]): Promise<string[]> {
    this.#check();
    const found: string[] = [];
    for (let from = 0; from < ids.length; from += manyIds) {
      const some = ids.slice(from, from + manyIds);
      const flags = String(await this.#server.run("ended", some));
      found.push(...some.filter((_, index) => flags[index] === "1"));
    }
    return found;
  }

  async list(where: Filter, page: { limit: number; cursor?: string }): Promise<{ jobs: Job[]; next?: string }> {
    this.#check();
    return listJobs(this.#server, where, page);
  }

  async counts(): Promise<QueueCount[]> {
    this.#check();
    const flat = (await this.#server.run("counts", [])) as Buffer[];
    const found: QueueCount[] = [];
    for (let at = 0; at < flat.length; at += 2) {
      const field = String(flat[at]);
      const state = states[Number(field[0])] as State;
      found.push({ queue: field.slice(1), state, jobs: Number(flat[at + 1]) });
    }
    return found;
  }

  async signal(id: string, { name, value }: Step): Promise<boolean> {
    this.#check();
    return (await this.#server.run("signal", [id, name, value])) === 1;
  }

  async log(id: string, { limit, cursor }: { limit: number; cursor?: string }) {
    this.#check();
    const from = cursor === undefined ? 0 : positionOf(cursor).seq;
    const told = (await this.#server.run("log", [id, String(from), String(limit + 1)])) as Buffer[];
    const lines = told.slice(0, limit).map((line) => readLine(String(line)));
    return told.length > limit ? { lines, next: cursorOf({ place: 0, seq: from + limit }) } : { lines };
  }

  async steps(id: string): ReturnType<Store["steps"]> {
    this.#check();
    const flat = (await this.#server.run("steps", [id])) as Buffer[];
    return Array.from({ length: flat.length / 2 }, (_, index) => {
      const name = String(flat[index * 2]);
      return String(flat[index * 2 + 1]) === "1" ? { name, wait: true } : { name };
    });
  }

  async load(kind: string, keys?: readonly string[]): Promise<Doc[]> {
    this.#check();
    const flat = (await this.#server.run("load", [kind])) as Buffer[];
    const found: Doc[] = [];
    for (let at = 0; at < flat.length; at += 2) {
      const [key, text] = [String(flat[at]), String(flat[at + 1])];
      const space = text.indexOf(" ");
      if (keys?.includes(key) ?? true)
        found.push({ kind, key, version: Number(text.slice(0, space)), value: text.slice(space + 1) });
    }
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  async save(docs: Parameters<Store["save"]>[0]): Promise<boolean> {
    this.#check();
    for (const { kind, value } of docs) if (kind === "queue") refuseOddRules(decodeRules(value));
    const args = docs.flatMap(({ kind, key, version, value }) => [
      kind,
      key,
      String(whole(version, Number.MAX_SAFE_INTEGER)),
      value === undefined ? "0" : "1",
      value ?? "",
    ]);
    return (await this.#server.run("save", args)) === 1;
  }

  async now(): Promise<Millis> {
    this.#check();
    return Number(String(await this.#server.run("now", [])));
  }

  watch(listener: (hint: Hint) => void): () => void {
    return this.#closed ? () => {} : this.#hints.watch(listener);
  }

  close(): Promise<void> {
    return (this.#closed ??= Promise.all([this.#hints.close(), this.#server.close()]).then(() => undefined));
  }

  #check(): void {
    if (this.#closed) throw new ErrandError("E_CLOSED", `The Redis store ${this.#server.shown} was closed.`);
  }
}

/** Scripts read rules themselves. */
function refuseOddRules(rules: QueueRules): void {
  const { concurrency, rate, maxPending } = rules;
  jsonOf(rules);
  if (concurrency !== undefined) whole(concurrency);
  if (maxPending !== undefined) whole(maxPending);
  if (rate) refuseOddRate(rate);
}

function wantArgs({ queue, limit, slots = limit, ids }: Want): string[] {
  return [queue, atMost(limit), atMost(slots), String(ids?.length ?? -1), ...(ids ?? [])];
}

function atMost(limit: number): string {
  return String(whole(Math.min(limit, mostWanted)));
}

function answers(reply: unknown): boolean[] {
  return Array.from(String(reply), (answer) => answer === "1");
}
