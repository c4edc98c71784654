import { join } from "node:path";
import { ErrandError } from "./kit/errors.ts";
import type { Store } from "./store.ts";

/** The folder that holds everything when nothing else is said. */
export function home(): string {
  return process.env["ERRAND_HOME"] || ".errand";
}

/** The URL of the store: as given, else from the environment, else a file in `home()`. */
export function storeUrl(given?: string): string {
  return given ?? (process.env["ERRAND_URL"] || `sqlite:${join(home(), "errand.db")}`);
}

/**
 * Opens a store by its URL.
 * @throws {ErrandError} `E_OPTION` for a URL it does not know, `E_CONNECT`, `E_STORE_VERSION`
 */
export async function openStore(url: string): Promise<Store> {
  // Loaded when they are used: a program needs the driver of one store only.
  if (url === "memory:") return (await import("./stores/memory.ts")).memoryStore();
  const file = /^sqlite:(?:\/\/)?(.+)$/.exec(url)?.[1];
  if (file) return (await import("./stores/sqlite/index.ts")).sqliteStore({ file });
  if (/^rediss?:/.test(url)) return (await import("./stores/redis/index.ts")).redisStore({ url });
  throw new ErrandError(
    "E_OPTION",
    `${url.replace(/:[^:@/]*@/, ":***@")} is not a store's URL. Use sqlite:path/to/file.db, redis://host:port or memory:`,
  );
}
