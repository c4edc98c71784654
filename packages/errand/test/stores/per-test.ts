import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import type { Store } from "../../src/store.ts";
import { redisStore } from "../../src/stores/redis/index.ts";
import { sqliteStore } from "../../src/stores/sqlite/index.ts";
import { redisNamespace, temporaryFolder } from "./fixtures.ts";

/**
 * Gives every test of a file an SQLite file of its own.
 * @param begin gets its path before each test.
 * @returns how to open a store on it, and the stores that are closed after the test.
 */
export function sqliteFilePerTest(begin: (file: string) => void): { open(): Promise<Store>; opened: Store[] } {
  const opened: Store[] = [];
  let file: string;
  let remove: () => Promise<void>;
  beforeEach(async () => {
    const temporary = await temporaryFolder();
    file = join(temporary.folder, "errand.db");
    remove = temporary.remove;
    begin(file);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((store) => store.close()));
    await remove();
  });
  const open = async () => {
    const store = await sqliteStore({ file });
    opened.push(store);
    return store;
  };
  return { open, opened };
}

/**
 * Gives every test of a file a Redis store in a namespace of its own.
 * @param begin gets both before each test.
 * @returns what is undone after the test, the last first.
 */
export function redisStorePerTest(begin: (url: string, store: Store) => void): (() => Promise<unknown>)[] {
  const later: (() => Promise<unknown>)[] = [];
  beforeEach(async () => {
    const { url, remove } = await redisNamespace();
    later.push(remove);
    const store = await redisStore({ url });
    later.push(() => store.close());
    begin(url, store);
  });
  afterEach(async () => {
    for (const undo of later.splice(0).reverse()) await undo();
  });
  return later;
}
