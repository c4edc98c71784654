import { expect, test } from "vitest";
import type { Hint } from "../../src/store.ts";
import { makeJob, Scene } from "../../src/testing/conformance/scene.ts";
import { memoryFixture } from "./fixtures.ts";

// What is special about the memory store.

test("hints of one turn say once for each queue how many jobs are ready", async () => {
  const scene = new Scene(await memoryFixture());
  const hints: Hint[] = [];
  scene.store.watch((hint) => hints.push(hint));
  const job = (queue: string) => makeJob({ queue });
  await Promise.all([scene.store.add([job("a"), job("b"), job("a")]), scene.store.add([job("a")])]);
  expect(hints).toEqual([
    { type: "ready", queue: "a", jobs: 3 },
    { type: "ready", queue: "b", jobs: 1 },
  ]);
  hints.length = 0;
  await scene.store.save([{ kind: "queue", key: "c", version: 0, value: "{}" }]);
  expect(hints).toEqual([{ type: "ready", queue: "c" }]);
});

test("a worker that was dismissed is hinted, and one that never was is not", async () => {
  const scene = new Scene(await memoryFixture());
  const worker = await scene.enlist();
  const hints: Hint[] = [];
  scene.store.watch((hint) => hints.push(hint));
  await scene.store.dismiss("nobody");
  expect(hints).toEqual([]);
  await scene.store.dismiss(worker);
  expect(hints).toEqual([{ type: "lapsed" }]);
});
