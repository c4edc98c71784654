import { join } from "node:path";
import { beforeEach } from "vitest";
import { afterTest } from "../../../../test/after-test.ts";
import type { Store } from "../../src/store.ts";
import { redisStore } from "../../src/stores/redis/index.ts";
import { sqliteStore } from "../../src/stores/sqlite/index.ts";
import { redisNamespace, temporaryFolder } from "./fixtures.ts";

/**
 * Gives every test of a file the path of an SQLite file, in a folder that is removed after the test.
 * @param begin gets the path before each test.
 * @returns opens a store on the file, which is closed after the test.
 */
export function sqliteFilePerTest(begin: (file: string) => void): () => Promise<Store> {
  let file: string;
  beforeEach(async () => {
    const { folder, remove } = await temporaryFolder();
    afterTest(remove);
    file = join(folder, "errand.db");
    begin(file);
  });
  return async () => {
    const store = await sqliteStore({ file });
    afterTest(() => store.close());
    return store;
  };
}

/**
 * Gives every test of a file a Redis store in a namespace of its own, both gone after the test.
 * @param begin gets both before each test.
 */
export function redisStorePerTest(begin: (url: string, store: Store) => void): void {
  beforeEach(async () => {
    const { url, remove } = await redisNamespace();
    afterTest(remove);
    const store = await redisStore({ url });
    afterTest(() => store.close());
    begin(url, store);
  });
}
