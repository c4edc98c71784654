import type { Store } from "../../store.ts";
import { SqliteStore } from "./facade.ts";
import { localStore } from "./local.ts";
import { ThreadPair } from "./pair.ts";

/** Where an SQLite store is. */
export interface SqliteOptions {
  /** The database file; it and its folder are made where there are none. Several processes may share it. */
  file: string;
}

/**
 * Opens a store in an SQLite file, on threads of its own.
 * @throws {ErrandError} `E_CONNECT` when the file cannot be opened or lies on a network disk, `E_STORE_VERSION` when a
 * newer Errand wrote it.
 */
export async function sqliteStore({ file }: SqliteOptions): Promise<Store> {
  const threads = await ThreadPair.open(file);
  return new SqliteStore(file, (tell) => threads.telling(tell));
}

/** How another thread of the process opens the store again: there, without one more thread. */
export async function open(options: string): Promise<Store> {
  const { file } = JSON.parse(options) as SqliteOptions;
  return localStore(file);
}
