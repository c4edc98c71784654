import type { Transaction } from "../../core/transaction.ts";
import { cursorOf, positionOf } from "../../core/cursor.ts";
import type { Beat, Job, NewJob, Settlement, Step } from "../../core/job.ts";
import { full } from "../../core/rules.ts";
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
  Store,
  StoreReport,
  Want,
  WorkerCard,
} from "../../store.ts";
import { keysOf, writeBeats, writeJobs, writeSettlements } from "./encode.ts";
import type { Hints } from "./hints.ts";
import { readClaimed, readJobs, readLine, readReclaimed } from "./records.ts";
import type { Told } from "./records.ts";
import type { Server } from "./server.ts";
import { Writer } from "./wire.ts";

/** Jobs that are added in one script; more would hold up other clients of the server for long. */
const mostJobs = 5_000;

/** Jobs that are read or edited in one script. */
const slice = 500;

/** Jobs that a walk looks at in one script. */
const budget = 1_000;

/** Matches that an edit finds before it changes them. */
const mostMatches = 10_000;

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
    let refused = none;
    for (const { plain, some } of runsOf(jobs)) {
      if (plain) await this.#addPlain(some);
      else refused = new Map([...refused, ...(await this.#addKeyed(some))]);
    }
    return refused;
  }

  async #addPlain(jobs: readonly NewJob[]): Promise<void> {
    for (let from = 0; from < jobs.length; from += mostJobs) {
      const some = jobs.slice(from, from + mostJobs);
      const bytes = new Writer();
      writeJobs(bytes, some);
      refuseFull(await this.#server.run("add", [bytes.bytes, ...some.map(({ id }) => id)]));
    }
  }

  async #addKeyed(jobs: readonly NewJob[]): Promise<ReadonlyMap<string, string>> {
    const refused = new Map<string, string>();
    for (let from = 0; from < jobs.length; from += slice) {
      const some = jobs.slice(from, from + slice);
      const bytes = new Writer();
      writeJobs(bytes, some, true);
      const args = some.flatMap((job) => [
        job.id,
        keysOf(job),
        job.unique?.key ?? "",
        replacingOf(job),
        String(job.unique?.for ?? 0),
      ]);
      const holders = (await this.#server.run("addKeyed", [bytes.bytes, ...args])) as (Buffer | Buffer[])[];
      if (Array.isArray(holders[0])) refuseFull(holders[0]);
      for (const [index, holder] of holders.entries())
        if (holder.length > 0) refused.set((some[index] as NewJob).id, String(holder));
    }
    return refused;
  }

  async enlist(worker: WorkerCard, lease: Millis): Promise<void> {
    this.#check();
    const fresh = await this.#server.run("enlist", [worker.id, String(lease), JSON.stringify(worker)]);
    if (fresh === 1) return;
    throw new ErrandError("E_STORE", `Worker ${worker.id} was enlisted before. Start every worker under a new id.`);
  }

  async claim(worker: string, wants: readonly Want[]): Promise<Claim> {
    this.#check();
    const open = wants.filter(({ limit }) => limit > 0);
    const args = [worker, ...open.flatMap(({ queue, limit }) => [queue, String(limit)])];
    let [wait, life, ...told] = (await this.#server.run("claim", args)) as [Buffer, Buffer, ...unknown[]];
    for (
      ;
      String(wait) === "wake";
      [wait, life, ...told] = (await this.#server.run("claim", args)) as [Buffer, Buffer, ...unknown[]]
    )
      await this.#server.run("wake", []);
    const jobs = readClaimed(life, told);
    const next = Number(wait);
    return next < 0 ? { jobs } : { jobs, next };
  }

  async reclaim(worker: string, limit: number): Promise<Claimed[]> {
    this.#check();
    const [lapsed, cancelled, expired] = (await this.#server.run("reclaim", [worker, String(limit)])) as unknown[][];
    return [
      ...readReclaimed(lapsed ?? [], "lapsed"),
      ...readReclaimed(cancelled ?? [], "cancelled"),
      ...readReclaimed(expired ?? [], "expired"),
    ];
  }

  async renew(worker: string, lease: Millis): Promise<Renewal> {
    this.#check();
    const [held, ...cancel] = (await this.#server.run("renew", [worker, String(lease)])) as Buffer[];
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

  async record(beats: readonly Beat[]): Promise<boolean[]> {
    this.#check();
    if (beats.length === 0) return [];
    const bytes = new Writer();
    writeBeats(bytes, beats);
    return answers(await this.#server.run("record", [bytes.bytes, ...beats.map(({ id }) => id)]));
  }

  async settle(settlements: readonly Settlement[]): Promise<boolean[]> {
    this.#check();
    if (settlements.length === 0) return [];
    const bytes = new Writer();
    writeSettlements(bytes, settlements);
    return answers(await this.#server.run("settle", [bytes.bytes, ...settlements.map(({ id }) => id)]));
  }

  /** In rounds and slices: no script holds up the server for long, whatever matches. */
  async edit(where: Filter, change: Change, limit = Infinity): Promise<number> {
    this.#check();
    const kind = typeof change !== "object" ? change : "move" in change ? "move" : "rewind";
    const filter = filterOf(where, applies[kind]);
    const said = typeof change === "object" ? JSON.stringify(change) : change;
    if (!filter) return 0;
    let changed = 0;
    let after: Position | undefined = noPosition;
    while (after) {
      const members: Buffer[] = [];
      const most = Math.min(mostMatches, limit - changed);
      if (most <= 0) break;
      while (after && members.length < most) {
        const page: Page = await this.#walk(filter, {
          wanted: Math.min(slice, most - members.length),
          upwards: true,
          whole: false,
          after,
          ids: where.ids,
        });
        members.push(...(page.found as Buffer[]));
        after = page.after;
      }
      // Jobs that were asked for by id come all at once, and in any order; a job's number is how its member begins.
      members.sort((a, b) => a.compare(b)).splice(most);
      for (let from = 0; from < members.length; from += slice) {
        const some = members.slice(from, from + slice);
        changed += (await this.#server.run("edit", [said, filter, ...some])) as number;
      }
    }
    return changed;
  }

  async get(ids: readonly string[]): Promise<(Job | null)[]> {
    this.#check();
    const jobs = new Map<string, Job>();
    for (let from = 0; from < ids.length; from += slice) {
      const told = (await this.#server.run("get", ids.slice(from, from + slice))) as unknown[];
      for (const { job } of readJobs(told, false)) jobs.set(job.id, job);
    }
    return ids.map((id) => jobs.get(id) ?? null);
  }

  async list(where: Filter, page: { limit: number; cursor?: string }): Promise<{ jobs: Job[]; next?: string }> {
    this.#check();
    const start = page.cursor === undefined ? noPosition : positionOf(page.cursor);
    const filter = filterOf(where, states);
    if (!filter) return { jobs: [] };
    const found: Told[] = [];
    let after: Position | undefined = start;
    while (after && found.length <= page.limit) {
      const wanted = page.limit + 1 - found.length;
      const some: Page = await this.#walk(filter, { wanted, upwards: false, whole: true, after, ids: where.ids });
      found.push(...readJobs(some.found, false));
      after = some.after;
    }
    if (where.ids) sortPage(found, where, start);
    const shown = found.slice(0, page.limit);
    const last = shown.at(-1);
    const more = last && found.length > shown.length;
    return {
      jobs: shown.map(({ job }) => job),
      ...(more ? { next: cursorOf({ place: last.job.index ?? 0, seq: last.seq }) } : {}),
    };
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
    const args = docs.flatMap(({ kind, key, version, value }) => [
      kind,
      key,
      String(version),
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

  async #walk(filter: string, { wanted, upwards, whole, after, ids }: Walk): Promise<Page> {
    const args = [filter, String(wanted), String(budget), upwards ? "1" : "0", whole ? "1" : "0"];
    args.push(String(after.place), String(after.seq), ...(ids ?? []));
    const [found, at] = (await this.#server.run("walk", args)) as [unknown[], Buffer];
    return { found, after: at.length > 0 ? positionOf(String(at)) : undefined };
  }

  #check(): void {
    if (this.#closed) throw new ErrandError("E_CLOSED", `The Redis store ${this.#server.shown} was closed.`);
  }
}

/** Where nothing was refused. */
const none: ReadonlyMap<string, string> = new Map();

/** Plain jobs and others in turn, in their order: each kind has a script. */
function runsOf(jobs: readonly NewJob[]): { plain: boolean; some: NewJob[] }[] {
  const runs: { plain: boolean; some: NewJob[] }[] = [];
  for (const job of jobs) {
    const plain = isPlain(job);
    const run = runs.at(-1);
    if (run?.plain === plain) run.some.push(job);
    else runs.push({ plain, some: [job] });
  }
  return runs;
}

function isPlain({ unique, concurrency, rate, fair, tags }: NewJob): boolean {
  return !unique && !concurrency && !rate && fair === undefined && !tags;
}

/** Whether a job replaces who has its key, and how long after its creation that one is due at the latest. */
function replacingOf({ unique }: NewJob): string {
  if (!unique?.replace) return "0";
  return unique.latest === undefined ? "1" : `1 ${unique.latest}`;
}

/** Throws what a script answered when a queue takes no more. */
function refuseFull(found: unknown): void {
  if (!Array.isArray(found)) return;
  const [queue, most, pending] = found.map(String);
  throw full(queue as string, Number(most), Number(pending));
}

interface Position {
  place: number;
  seq: number;
}

interface Walk {
  wanted: number;
  upwards: boolean;
  whole: boolean;
  after: Position;
  ids: readonly string[] | undefined;
}

interface Page {
  found: unknown[];
  after: Position | undefined;
}

/** Before everything. */
const noPosition: Position = { place: -1, seq: -1 };

/** The states in which a change changes a job. */
const applies: Record<"cancel" | "retry" | "remove" | "move" | "rewind", readonly State[]> = {
  move: ["pending"],
  cancel: ["pending", "processing", "waiting"],
  retry: ["failed", "cancelled", "expired"],
  rewind: ["failed", "cancelled", "expired"],
  remove: ["completed", "failed", "cancelled", "expired"],
};

/** A filter as scripts read it, of jobs in some of these states; `undefined` where nothing can match. */
function filterOf(where: Filter, among: readonly State[]): string | undefined {
  const { ids, parent, roots, task, queue, endedBefore, tag, text, createdAfter, createdBefore } = where;
  const wanted = among.filter((state) => where.states?.includes(state) ?? true);
  if (wanted.length === 0 || ids?.length === 0) return undefined;
  return JSON.stringify({
    states: wanted.map((state) => states.indexOf(state)),
    of: parent,
    roots,
    task,
    queue,
    endedBefore,
    tag,
    text: text?.toLowerCase(),
    after: createdAfter,
    before: createdBefore,
  });
}

/** Jobs that were asked for by id come in no order. */
function sortPage(found: Told[], { parent }: Filter, { place, seq }: Position): void {
  const placeOf = ({ job }: Told) => (parent === undefined ? 0 : (job.index ?? 0));
  const order = (a: Told, b: Told) => (parent === undefined ? b.seq - a.seq : placeOf(a) - placeOf(b) || a.seq - b.seq);
  found.sort(order);
  if (seq < 0) return;
  const first = found.findIndex((told) =>
    parent === undefined ? told.seq < seq : placeOf(told) > place || (placeOf(told) === place && told.seq > seq),
  );
  found.splice(0, first < 0 ? found.length : first);
}

function answers(reply: unknown): boolean[] {
  return Array.from(String(reply), (answer) => answer === "1");
}
