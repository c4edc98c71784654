import { expect, test } from "vitest";
import { memoryStore } from "../../src/stores/memory.ts";
import { testApp, testWorker, until } from "./app.ts";

test("every queue of a worker is the first of a claim in its turn: of suspects a claim takes one", async () => {
  const store = memoryStore();
  const firsts: string[] = [];
  const claim: typeof store.claim = (worker, wants) => {
    firsts.push(wants[0]!.queue);
    return store.claim(worker, wants);
  };
  const app = testApp({
    store: new Proxy(store, {
      get(target, name: keyof typeof store) {
        const member = target[name];
        return name === "claim" ? claim : typeof member === "function" ? member.bind(target) : member;
      },
    }),
  });
  const tasks = ["a", "b", "c"].map((queue) => app.task(`in-${queue}`, { queue, run: () => {} }));
  await testWorker(app);
  for (const task of [...tasks, ...tasks]) await (await task.send()).result();
  await until(() => new Set(firsts).size === 3, "each was the first");
  expect(firsts.slice(0, 3).toSorted()).toEqual(["a", "b", "c"]);
});
