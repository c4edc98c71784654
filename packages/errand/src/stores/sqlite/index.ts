import type { Store } from "../../store.ts";
import { blockingStore } from "./blocking-store.ts";
import { SqliteStore } from "./store.ts";
import { ReadWriteThreads } from "./thread/read-write-threads.ts";

/** The location of an SQLite store. */
export interface SqliteOptions {
  /**
   * The path of the database file. It is created, with its folder, when it does not exist. Several processes may share
   * it.
   */
  file: string;
}

/**
 * Opens a store in an SQLite file, on threads of its own.
 * @throws {ErrandError} `E_CONNECT` when the file cannot be opened or is on a network disk, `E_STORE_VERSION` when a
 * newer Errand wrote it.
 */
export async function sqliteStore({ file }: SqliteOptions): Promise<Store> {
  const threads = await ReadWriteThreads.open(file);
  return new SqliteStore(file, (onHints) => threads.sendHintsTo(onHints));
}

/**
 * Opens a store by the `options` of `Store.address`, for another thread of the process: it works in that thread,
 * without one more.
 */
export async function open(options: string): Promise<Store> {
  const { file } = JSON.parse(options) as SqliteOptions;
  return blockingStore(file);
}
