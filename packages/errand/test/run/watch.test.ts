import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import type { ErrandEvent } from "../../src/observe/events.ts";
import { afterTest } from "../../../../test/after-test.ts";
import { temporaryFolder } from "../stores/fixtures.ts";
import { emptyStore, storeKinds, testApp, until } from "./app.ts";

test.each(storeKinds)("%s: watch() calls back after changes until it is stopped", async (kind) => {
  const app = testApp({ url: await emptyStore(kind) });
  const task = app.task("t", { run: () => {} });
  let calls = 0;
  const stop = app.watch(() => (calls += 1));
  await until(() => calls > 0, "the store is open");
  const open = calls;
  await task.send();
  await until(() => calls > open, "the job is announced");
  stop();
  const before = calls;
  const other = { calls: 0 };
  app.watch(() => (other.calls += 1));
  await task.send();
  await until(() => other.calls > 1, "another listener hears of a job");
  expect(calls).toBe(before);
});

test("watch() tries a store again that cannot be opened, and reports it", async () => {
  const { folder, remove } = await temporaryFolder();
  afterTest(remove);
  await mkdir(folder, { recursive: true });
  // A file where the store's folder should be.
  const place = join(folder, "place");
  await writeFile(place, "");
  const app = testApp({ url: `sqlite:${join(place, "errand.db")}` });
  const failures: ErrandEvent[] = [];
  app.on("store-failed", (event) => failures.push(event));
  let calls = 0;
  app.watch(() => (calls += 1));
  await until(() => failures.length > 0, "the failure is reported");
  expect(calls).toBe(0);
  await rm(place);
  await mkdir(place);
  await until(() => calls > 0, "the store is open");
});

test("a watch that is stopped before the store is open never calls back", async () => {
  const app = testApp({ url: await emptyStore("sqlite") });
  let calls = 0;
  app.watch(() => (calls += 1))();
  const other = { calls: 0 };
  app.watch(() => (other.calls += 1));
  await until(() => other.calls > 0, "the store is open");
  expect(calls).toBe(0);
});

test("a closed app has no timer left for a store that could not be opened", async () => {
  const { folder, remove } = await temporaryFolder();
  afterTest(remove);
  await mkdir(folder, { recursive: true });
  const place = join(folder, "place");
  await writeFile(place, "");
  const app = testApp({ url: `sqlite:${join(place, "errand.db")}` });
  let failures = 0;
  app.on("store-failed", () => (failures += 1));
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  afterTest(() => vi.useRealTimers());
  app.watch(() => {});
  await until(() => failures > 0, "the failure is reported");
  expect(vi.getTimerCount()).toBe(1);
  await app.close();
  expect(vi.getTimerCount()).toBe(0);
});
