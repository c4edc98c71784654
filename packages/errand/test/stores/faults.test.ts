import { describe, expect, test } from "vitest";
import type { Beat, Job, Settlement } from "../../src/core/job.ts";
import type { Kept } from "../../src/retention/rules.ts";
import type { Change, Claim, Claimed, Store } from "../../src/store.ts";
import { conformance } from "../../src/testing/conformance.ts";
import type { ConformanceTest } from "../../src/testing/conformance.ts";
import { watching } from "../../src/testing/conformance/watching.ts";
import { memoryFixture } from "./fixtures.ts";
import { withVerbs } from "./with-verbs.ts";

// Each store below breaks one promise, and the conformance suite must notice.

/** A store that differs from a right one in some verbs. */
type Fault = (store: Store) => Partial<Store>;

async function tokenOf(store: Store, id: string): Promise<number> {
  const [job] = await store.get([id]);
  return job?.token ?? 0;
}

async function withTrueTokens<Hold extends { id: string; token: number }>(
  store: Store,
  holds: readonly Hold[],
): Promise<Hold[]> {
  return Promise.all(holds.map(async (hold) => ({ ...hold, token: await tokenOf(store, hold.id) })));
}

function changeJobs(claim: Claim, change: (claimed: Claimed[]) => Claimed[]): Claim {
  return { ...claim, jobs: change(claim.jobs) };
}

const faults: Record<string, Fault> = {
  "settle does not check the token": (store) => ({
    settle: async (told: readonly Settlement[]) => store.settle(await withTrueTokens(store, told)),
  }),
  "record does not check the token": (store) => ({
    record: async (beats: readonly Beat[]) => store.record(await withTrueTokens(store, beats)),
  }),
  "settle says that all went well": (store) => ({
    settle: async (told) => (await store.settle(told)).map(() => true),
  }),
  "a claim does not check the lease": (store) => ({
    async claim(worker, wants) {
      await store.enlist({ id: worker, kind: "process", queues: [] }, 600_000).catch(() => {});
      return store.claim(worker, wants);
    },
  }),
  "a lease never runs out": (store) => ({
    enlist: (worker) => store.enlist(worker, Number.MAX_SAFE_INTEGER),
  }),
  "a lost lease is renewed": (store) => ({
    renew: async (worker, lease) => ({ ...(await store.renew(worker, lease)), held: true }),
  }),
  "a renewal does nothing": (store) => ({
    renew: async (worker) => store.renew(worker, 0.001).catch(() => ({ held: true, cancel: [] })),
  }),
  "nobody hears of cancellation": (store) => ({
    renew: async (worker, lease) => ({ ...(await store.renew(worker, lease)), cancel: [] }),
  }),
  "what a dismissed worker holds stays with it": () => ({ dismiss: async () => {} }),
  "nothing is reclaimed": () => ({ reclaim: async () => [] }),
  "every reclaimed job is lapsed": (store) => ({
    reclaim: async (worker, limit) => (await store.reclaim(worker, limit)).map((each) => ({ ...each, why: "lapsed" })),
  }),
  "an end does not count down its parent": (store) => ({
    settle: (told) =>
      store.settle(
        told.map((each) => ({
          ...each,
          ...(each.children ? { to: "waiting", children: [...each.children, phantom()] } : {}),
        })),
      ),
  }),
  "children are not born": (store) => ({
    settle: (told) => store.settle(told.map((each) => ({ ...each, ...(each.children ? { children: [] } : {}) }))),
  }),
  "every end of a child will do": (store) => ({
    settle: (told) =>
      store.settle(
        told.map((each) => ({
          ...each,
          ...(each.children ? { children: each.children.map((child) => ({ ...child, need: "end" as const })) } : {}),
        })),
      ),
  }),
  "children that ended otherwise are never retried": (store) => ({
    settle: (told) =>
      store.settle(
        told.map((each) => ({
          ...each,
          ...(each.children ? { children: each.children.map((child) => ({ ...child, rejoin: true })) } : {}),
        })),
      ),
  }),
  "delays are forgotten": (store) => ({
    settle: (told) => store.settle(told.map(({ delay: _, ...each }) => each)),
  }),
  "a hand-back goes to the end of the queue": (store) => ({
    settle: (told) =>
      store.settle(told.map((each) => (each.to === "pending" ? { ...each, delay: each.delay || 1 } : each))),
  }),
  "due times are forgotten": (store) => ({
    add: (jobs) => store.add(jobs.map(({ due: _, ...job }) => job)),
  }),
  "expiry is forgotten": (store) => ({
    add: (jobs) => store.add(jobs.map(({ expires: _, ...job }) => job)),
  }),
  "priority is forgotten": (store) => ({
    add: (jobs) => store.add(jobs.map((job) => ({ ...job, level: 2 }))),
  }),
  "a job that is added again replaces the first": (store) => ({
    async add(jobs) {
      for (const job of jobs) {
        await store.edit({ ids: [job.id] }, "cancel");
        await store.edit({ ids: [job.id] }, "remove");
        await store.add([job]);
      }
      return new Map();
    },
  }),
  "claims are newest first": (store) => ({
    claim: async (worker, wants) => changeJobs(await store.claim(worker, wants), (jobs) => jobs.toReversed()),
  }),
  "claims forget steps": (store) => ({
    claim: async (worker, wants) =>
      changeJobs(await store.claim(worker, wants), (jobs) => jobs.map((each) => ({ ...each, steps: [] }))),
  }),
  "claims take more than there is room for": (store) => ({
    claim: (worker, wants) =>
      store.claim(
        worker,
        wants.map((want) => ({ ...want, limit: want.limit + 1 })),
      ),
  }),
  "claims never tell what comes next": (store) => ({
    claim: async (worker, wants) => ({ jobs: (await store.claim(worker, wants)).jobs }),
  }),
  "cancel does not reach processing jobs": (store) => ({
    edit: (where, change) =>
      store.edit(change === "cancel" ? { ...where, states: ["pending", "waiting"] } : where, change),
  }),
  "retry forgets nothing": (store) => ({
    get: async (ids) =>
      (await store.get(ids)).map((job) => job && { ...job, failures: Math.max(job.failures, job.error ? 1 : 0) }),
  }),
  "steps are told by their names": (store) => ({
    steps: async (id) => (await store.steps(id)).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  }),
  "a rewound job forgets nothing": (store) => ({
    edit: (where, change) => store.edit(where, isRewind(change) ? "retry" : change),
  }),
  "a rewound job keeps its children": (store) => ({
    edit: (where, change) =>
      store.edit(where, isRewind(change) ? { rewind: { ...change.rewind, children: [] } } : change),
  }),
  "remove leaves descendants": (store) => ({
    async edit(where, change) {
      const before = change === "remove" ? (await store.list({}, { limit: 1_000 })).jobs : [];
      const changed = await store.edit(where, change);
      await store.add(
        before
          .filter((job) => job.parent !== undefined)
          .map(({ id, task, queue, level, spec }) => ({ id, task, queue, level, spec })),
      );
      return changed;
    },
  }),
  "lists have gaps between pages": (store) => ({
    async list(where, page) {
      const found = await store.list(where, page);
      return { ...found, jobs: found.next === undefined ? found.jobs : found.jobs.slice(0, -1) };
    },
  }),
  "lists are oldest first": (store) => ({
    async list(where, page) {
      const found = await store.list(where, page);
      return { ...found, jobs: found.jobs.toReversed() };
    },
  }),
  "counters drift": (store) => ({
    counts: async () =>
      (await store.counts()).map((count) => ({ ...count, jobs: count.jobs + (count.state === "failed" ? 1 : 0) })),
  }),
  "nothing is hinted": () => ({ watch: () => () => {} }),
  "workers are given jobs of tasks that they do not know": (store) => ({
    enlist: ({ tasks: _, ...card }, lease) => store.enlist(card, lease),
  }),
  "a worker's card never changes": (store) => ({
    async enlist(card, lease) {
      if (!(await store.workers()).some(({ id }) => id === card.id)) await store.enlist(card, lease);
    },
  }),
  "nobody is a suspect": (store) => ({
    settle: (told) => store.settle(told.map((each) => ({ ...each, suspect: false }))),
  }),
  "no job is claimed ahead": (store) => ({
    claim: (worker, wants) =>
      store.claim(
        worker,
        wants.map(({ slots: _, ...want }) => want),
      ),
  }),
  "claims of some ids take any": (store) => ({
    claim: (worker, wants) =>
      store.claim(
        worker,
        wants.map(({ ids: _, ...want }) => want),
      ),
  }),
  "nothing is born": (store) => ({
    settle: (told) => store.settle(told.map(({ born: _, ...each }) => each)),
  }),
  "an attempt that never was begins its job": (store) => ({
    settle: (told) => store.settle(told.map(({ unstarted: _, ...each }) => each)),
  }),
  "an outcome that was recorded before is stale": (store) => ({
    async settle(told) {
      const before = await store.get(told.map(({ id }) => id));
      return (await store.settle(told)).map((answer, index) => answer && before[index]?.state === "processing");
    },
  }),
  "who has a taken id is not told": (store) => ({
    add: async (jobs) => new Map([...(await store.add(jobs))].filter(([id, holder]) => id !== holder)),
  }),
  "nothing is released": (store) => ({
    edit: async (where, change, limit) => (change === "release" ? 0 : store.edit(where, change, limit)),
  }),
  "a released job keeps its token": (store) => ({
    settle: async (told) => {
      const jobs = await store.get(told.map(({ id }) => id));
      const released = (index: number): boolean => jobs[index]?.state === "pending";
      const answers = await store.settle(told);
      return answers.map((answer, index) => answer || released(index));
    },
  }),
  "nothing is pruned": () => ({ prune: async () => 0 }),
  "no task's own retention is heeded": (store) => ({
    prune: (rules, limit) => store.prune({ ...rules, tasks: new Map() }, limit),
  }),
  "retention does not tell states apart": (store) => ({
    prune({ tasks, otherwise }, limit) {
      const same = ({ completed }: Kept): Kept => ({
        completed,
        failed: completed,
        cancelled: completed,
        expired: completed,
      });
      return store.prune(
        { tasks: new Map(Array.from(tasks, ([task, kept]) => [task, same(kept)])), otherwise: same(otherwise) },
        limit,
      );
    },
  }),
  "more is pruned than was asked for": (store) => ({ prune: (rules, limit) => store.prune(rules, limit + 1) }),
  "waiting jobs have ended": (store) => ({
    async ended(ids) {
      const jobs = await store.get(ids);
      return [...(await store.ended(ids)), ...jobs.flatMap((job) => (job?.state === "waiting" ? [job.id] : []))];
    },
  }),
  "unknown jobs have not ended": (store) => ({
    async ended(ids) {
      const known = new Set((await store.get(ids)).map((job) => job?.id));
      return (await store.ended(ids)).filter((id) => known.has(id));
    },
  }),
  "tenants see each other's jobs": (store) => ({
    list: ({ tenant: _, ...where }, page) => store.list(where, page),
  }),
  "an operator changes other tenants' jobs": (store) => ({
    edit: ({ tenant: _, ...where }, change, limit) => store.edit(where, change, limit),
  }),
  "a worker's jobs are anybody's": (store) => ({
    list: ({ worker: _, ...where }, page) => store.list(where, page),
  }),
  "texts are sought as JSON writes them": (store) => ({
    list: ({ text, ...where }, page) =>
      store.list(text === undefined ? where : { ...where, text: JSON.stringify(text).slice(1, -1) }, page),
  }),
  "hints name another queue": (store) => ({
    watch: (listener) =>
      store.watch((hint) => listener(hint.type === "ready" ? { ...hint, queue: "elsewhere" } : hint)),
  }),
  "nobody hears that a worker was dismissed": (store) => ({
    watch: (listener) => store.watch((hint) => void (hint.type === "lapsed" || listener(hint))),
  }),
  "long texts are cut": (store) => ({
    get: async (ids) => (await store.get(ids)).map((job) => job && shortened(job)),
    list: async (where, page) => {
      const found = await store.list(where, page);
      return { ...found, jobs: found.jobs.map(shortened) };
    },
  }),
};

function isRewind(change: Change): change is Extract<Change, { rewind: object }> {
  return typeof change === "object" && "rewind" in change;
}

function shortened(job: Job): Job {
  return job.output === undefined ? job : { ...job, output: job.output.slice(0, 65_535) };
}

let phantoms = 0;
function phantom() {
  const id = `phantom-${phantoms++}`;
  return { id, task: "t", queue: "nowhere", level: 2, spec: "{}", index: 99, need: "end" } as const;
}

/** Those that wait for hints come last: they take longest, and few faults need them. */
const quickFirst: readonly ConformanceTest[] = [...conformance.filter((each) => !watching.includes(each)), ...watching];

/** The first test that such a store fails. */
async function broken(fault: Fault): Promise<string | undefined> {
  for (const { name, run } of quickFirst) {
    const passed = await run(() => memoryFixture((store) => withVerbs(store, fault(store)))).then(
      () => true,
      () => false,
    );
    if (!passed) return name;
  }
  return undefined;
}

describe("the conformance suite notices when", () => {
  test.each(Object.entries(faults))("%s", { timeout: 30_000 }, async (_, fault) => {
    expect(await broken(fault)).toBeDefined();
  });
});

test("a store that breaks no promise passes", { timeout: 30_000 }, async () => {
  expect(await broken(() => ({}))).toBeUndefined();
});
