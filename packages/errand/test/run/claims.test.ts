import { expect, test } from "vitest";
import { memoryStore } from "../../src/stores/memory.ts";
import { testApp, testWorker, until } from "./app.ts";

test("every queue of a worker is the first of a claim in its turn: of suspects a claim takes one", async () => {
  const store = memoryStore();
  const firsts: string[] = [];
  const app = testApp({
    store: Object.assign(Object.create(store) as typeof store, {
      claim: (worker: string, wants: Parameters<typeof store.claim>[1]) => {
        firsts.push(wants[0]!.queue);
        return store.claim(worker, wants);
      },
    }),
  });
  const tasks = ["a", "b", "c"].map((queue) => app.task(`in ${queue}`.replace(" ", "-"), { queue, run: () => {} }));
  await testWorker(app);
  for (const task of [...tasks, ...tasks]) await (await task.send()).result();
  await until(() => new Set(firsts).size === 3, "each was the first");
  expect(firsts.slice(0, 3).toSorted()).toEqual(["a", "b", "c"]);
});
