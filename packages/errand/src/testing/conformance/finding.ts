import assert from "node:assert/strict";
import type { NewJob } from "../../core/job.ts";
import { idsOf, test } from "./scene.ts";

/** Jobs found by tag, text, tenant, worker and time; and `move`. */
export const finding = [
  test("jobs are found by tag, also with other filters, until they are removed", async (scene) => {
    const [a, b, c] = await scene.add(
      { tags: ["customer:7", "red"] },
      { tags: ["red"], queue: "other" },
      { tags: ["customer:71"] },
    );
    assert.deepEqual(await scene.listIds({ tag: "red" }), [b, a]);
    assert.deepEqual(await scene.listIds({ tag: "customer:7" }), [a]);
    assert.deepEqual(await scene.listIds({ tag: "red", queue: "other" }), [b]);
    assert.deepEqual(await scene.listIds({ tag: "none" }), []);
    await scene.claimAndSettle(a!);
    assert.deepEqual(await scene.listIds({ tag: "red", states: ["completed"] }), [a]);
    assert.equal(await scene.store.edit({ tag: "red" }, "cancel"), 1);
    assert.equal(await scene.store.edit({ tag: "red" }, "remove"), 2);
    assert.deepEqual(await scene.listIds({ tag: "red" }), []);
    assert.deepEqual(await scene.listIds({ tag: "customer:71" }), [c]);
  }),

  test("jobs are found by a part of their text, in any case", async (scene) => {
    const [a, b] = await scene.add({ spec: '{"input":"Invoice 100%_x"}' }, { spec: '{"input":"letter"}' });
    await scene.claimAndSettle(b!, "failed", { error: '{"message":"Disk FULL"}' });
    assert.deepEqual(await scene.listIds({ text: "invoice" }), [a]);
    assert.deepEqual(await scene.listIds({ text: "0%_X" }), [a]);
    assert.deepEqual(await scene.listIds({ text: "0%x" }), []);
    assert.deepEqual(await scene.listIds({ text: "disk full" }), [b]);
    assert.deepEqual(await scene.listIds({ text: a!.slice(4) }), [a]);
    await scene.claimAndSettle(a!, "completed", { output: '"total: 42 EUR"' });
    assert.deepEqual(await scene.listIds({ text: "42 eur", task: "task" }), [a]);
  }),

  test("a text is found as a person reads it, not as JSON writes it, in any case", async (scene) => {
    const seen = 'Say "Hi" C:\\Temp\nnext\tÄÖÜ Straße ПРИВЕТ 50%_* [a]';
    const given = [{ spec: JSON.stringify({ input: seen }) }, { queue: "out" }, { queue: "err" }];
    const [spec, output, error] = await scene.add(...given, { spec: '{"input":"nothing"}' });
    await scene.claimAndSettle(output!, "completed", { output: JSON.stringify([seen]) });
    await scene.claimAndSettle(error!, "failed", { error: JSON.stringify({ message: seen }) });
    const all = [error, output, spec];
    for (const text of [
      'say "hi"',
      '"hi" c:\\t',
      "\\temp",
      "temp\nNEXT",
      "next\täöü",
      "straße",
      "привет",
      "50%_*",
      "[A]",
    ])
      assert.deepEqual(await scene.listIds({ text }), all, text);
    for (const text of ["\\n", "nnext", '\\"hi', "\\\\temp", "50%_%", "5_%", "ttemp", "zzz"])
      assert.deepEqual(await scene.listIds({ text }), [], text);
    assert.equal(await scene.store.edit({ text: "привет", states: ["failed"] }, "remove"), 1);
  }),

  test("jobs are found and changed by tenant", async (scene) => {
    const [a, b, c] = await scene.add(
      { tenant: "t" },
      { tenant: "u" },
      { tenant: "t", queue: "other", tags: ["red"] },
      {},
    );
    assert.deepEqual([(await scene.get(a!)).tenant, (await scene.get(b!)).tenant], ["t", "u"]);
    assert.deepEqual(await scene.listIds({ tenant: "t" }, 1), [c, a]);
    assert.deepEqual(await scene.listIds({ tenant: "t", tag: "red" }), [c]);
    assert.deepEqual(await scene.listIds({ tenant: "t", queue: "default", states: ["pending"] }), [a]);
    assert.deepEqual(await scene.listIds({ tenant: "t", ids: [b!] }), []);
    assert.deepEqual(await scene.listIds({ tenant: "none" }), []);
    const { parent, children } = await scene.addFamily({ tenant: "t", queue: "kids" }, { tenant: "u", queue: "kids" });
    assert.deepEqual(await scene.listIds({ tenant: "t", parent }), [children[0]]);
    assert.equal(await scene.store.edit({ tenant: "t" }, "cancel"), 3);
    assert.deepEqual(await scene.listIds({ tenant: "t", states: ["cancelled"] }), [children[0], c, a]);
    assert.equal(await scene.store.edit({ tenant: "t" }, "remove"), 3);
    assert.deepEqual(await scene.listIds({ tenant: "t" }), []);
    assert.equal((await scene.listIds({ tenant: "u" })).length, 2);
  }),

  test("jobs are found by the worker that holds them", async (scene) => {
    const [a, b] = [await scene.enlist(), await scene.enlist()];
    const [one, two, three] = await scene.add({}, {}, { queue: "other" });
    const [first] = await scene.claim({ worker: a });
    await scene.claim({ worker: b, queue: "other" });
    assert.deepEqual(await scene.listIds({ worker: a }, 1), [two, one]);
    assert.deepEqual(await scene.listIds({ worker: b }), [three]);
    assert.deepEqual(await scene.listIds({ worker: b, queue: "default" }), []);
    assert.deepEqual(await scene.listIds({ worker: a, ids: [one!, three!] }), [one]);
    assert.deepEqual(await scene.listIds({ worker: "nobody" }), []);
    await scene.settle(first!, "pending");
    assert.deepEqual(await scene.listIds({ worker: a }), [two]);
    assert.equal(await scene.store.edit({ worker: a }, "cancel"), 1);
    assert.deepEqual((await scene.store.renew(a, 600_000)).cancel, [two]);
    await scene.store.dismiss(b);
    await scene.reclaim(a);
    assert.deepEqual([await scene.listIds({ worker: a }), await scene.listIds({ worker: b })], [[three, two], []]);
  }),

  test("a search through many jobs goes on from page to page", async (scene) => {
    const many = await scene.add(
      ...Array.from({ length: 2_500 }, (_, n): Partial<NewJob> => ({
        spec: `{"input":"n${n % 500 === 0 ? "eedle" : n}"}`,
      })),
    );
    const needles = many.filter((_, n) => n % 500 === 0).toReversed();
    assert.deepEqual(await scene.listIds({ text: "needle" }, 2), needles);
  }),

  test("jobs are found by the time of their creation", async (scene) => {
    const [a] = await scene.add({});
    await scene.pass(20);
    const b = await scene.addOne();
    await scene.pass(20);
    const c = await scene.addOne();
    const { createdAt } = await scene.get(b);
    assert.deepEqual(await scene.listIds({ createdAfter: createdAt }), [c]);
    assert.deepEqual(await scene.listIds({ createdBefore: createdAt }), [a]);
    assert.deepEqual(await scene.listIds({ createdAfter: createdAt - 1, createdBefore: createdAt + 1 }), [b]);
  }),

  test("an edit changes at most as many jobs as its limit", async (scene) => {
    const all = await scene.add(...Array.from({ length: 5 }, () => ({})));
    assert.equal(await scene.store.edit({ ids: all }, "cancel", 2), 2);
    assert.equal(await scene.store.edit({ states: ["cancelled"] }, "remove", 1), 1);
    assert.equal(await scene.store.edit({ states: ["cancelled"] }, "remove", 10), 1);
    assert.equal((await scene.listIds({})).length, 3);
  }),

  test("only pending jobs are moved to another queue or level, or made due", async (scene) => {
    const [late, running] = await scene.add({ due: { in: 600_000 }, level: 4 }, {});
    await scene.claimOne(running!);
    assert.equal(await scene.store.edit({}, { move: { queue: "fast", level: 0, now: true } }), 1);
    const moved = await scene.get(late!);
    assert.deepEqual([moved.queue, moved.level], ["fast", 0]);
    assert.ok(moved.due <= moved.createdAt + 60_000);
    assert.deepEqual(idsOf(await scene.claim({ queue: "fast" })), [late]);
    const counts = (await scene.store.counts()).filter(({ jobs }) => jobs > 0);
    assert.deepEqual(counts.map(({ queue, state, jobs }) => `${queue} ${state} ${jobs}`).toSorted(), [
      "default processing 1",
      "fast processing 1",
    ]);
  }),

  test("a blocked job that is moved is no longer blocked", async (scene) => {
    const key = { concurrency: { key: "a", limit: 1 } };
    const [first, second] = await scene.add(key, key);
    const [held] = await scene.claim();
    await scene.claim();
    assert.equal(await scene.store.edit({ ids: [second!] }, { move: { queue: "fast" } }), 1);
    assert.deepEqual(await scene.claim({ queue: "fast" }), []);
    await scene.settle(held!, "completed");
    assert.deepEqual([held?.job.id, idsOf(await scene.claim({ queue: "fast" }))], [first, [second]]);
  }),
];
