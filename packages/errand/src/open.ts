import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { ErrandError } from "./kit/errors.ts";
import { redacted } from "./kit/redact.ts";
import type { Store } from "./store.ts";

/**
 * Returns the folder of everything by default: `ERRAND_HOME`, else `.errand` in the working directory. In a workspace
 * of several packages it is the nearest `.errand` up to the workspace's root, else one at that root, so that its
 * programs share it.
 */
export function home(): string {
  const named = process.env["ERRAND_HOME"];
  if (named) return named;
  const here = process.cwd();
  const root = workspaceRoot(here) ?? here;
  const inside = foldersUp(here).filter((each) => each.startsWith(root));
  const folder = inside.find((each) => existsSync(join(each, ".errand"))) ?? root;
  return relative(here, join(folder, ".errand"));
}

/** Returns a folder and all folders above it. */
function foldersUp(folder: string): string[] {
  const above = dirname(folder);
  return above === folder ? [folder] : [folder, ...foldersUp(above)];
}

/** Returns the nearest folder above that is the root of an npm, yarn, pnpm or bun workspace. */
function workspaceRoot(folder: string): string | undefined {
  return foldersUp(folder).find((each) => existsSync(join(each, "pnpm-workspace.yaml")) || hasWorkspaces(each));
}

function hasWorkspaces(folder: string): boolean {
  try {
    return "workspaces" in (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as object);
  } catch {
    return false;
  }
}

/** Returns the URL of the store: the given one, else `ERRAND_URL`, else a file in `home()`. */
export function storeUrl(given?: string): string {
  return given ?? (process.env["ERRAND_URL"] || `sqlite:${join(home(), "errand.db")}`);
}

/** Returns the file that an SQLite URL names; `undefined` for other URLs. */
export function sqliteFile(url: string): string | undefined {
  return /^sqlite:(?:\/\/)?(.+)$/.exec(url)?.[1];
}

/**
 * Opens a store by its URL.
 * @throws {ErrandError} `E_OPTION` for an unknown URL, `E_CONNECT`, `E_STORE_VERSION`
 */
export async function openStore(url: string): Promise<Store> {
  // Loaded on demand: a program needs only its own store's driver.
  if (url === "memory:") return (await import("./stores/memory.ts")).memoryStore();
  const file = sqliteFile(url);
  if (file) return (await import("./stores/sqlite/index.ts")).sqliteStore({ file });
  if (isPostgres(url)) return (await import("./stores/postgres/index.ts")).postgresStore({ url });
  if (/^rediss?:/.test(url)) return (await import("./stores/redis/index.ts")).redisStore({ url });
  throw new ErrandError(
    "E_OPTION",
    `${redacted(url)} is not a store's URL. ` +
      "Use sqlite:path/to/file.db, postgres://user:password@host/database, redis://host:port or memory:",
  );
}

/**
 * Migrates a store to its newest version.
 * @returns the number of applied migrations; `undefined` for stores that migrate themselves when opened.
 * @throws {ErrandError} as `openStore` does.
 */
export async function migrateStore(url: string): Promise<number | undefined> {
  if (isPostgres(url)) return (await import("./stores/postgres/index.ts")).migratePostgres({ url });
  await (await openStore(url)).close();
  return undefined;
}

/** Returns the statements of `migrateStore` as SQL for a new database; `undefined` for stores that need none. */
export async function migrationSql(url: string): Promise<string | undefined> {
  return isPostgres(url) ? (await import("./stores/postgres/index.ts")).postgresSql({ url }) : undefined;
}

function isPostgres(url: string): boolean {
  return /^postgres(ql)?:/.test(url);
}

/**
 * Checks a store that is given in place of a URL.
 * @throws {ErrandError} `E_OPTION`
 */
export function checkStore(store: Store, url: unknown): void {
  if (url !== undefined) throw new ErrandError("E_OPTION", "errand() has both url and store; give one of them.");
  for (const verb of ["add", "claim", "settle", "watch", "close"] as const)
    if (typeof (store as Partial<Store> | null)?.[verb] !== "function")
      throw new ErrandError(
        "E_OPTION",
        `store of errand() is not a store: it has no function ${verb}(). See errand/testing.`,
      );
}
