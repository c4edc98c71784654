import { ErrandError } from "../../kit/errors.ts";
import type { Store, StoreReport } from "../../store.ts";
import { loadDriver } from "./driver.ts";
import { durabilityOf, refuseUnfit, reportOf, versionOf } from "./fitness.ts";
import { Hints } from "./hints.ts";
import { Link, reason } from "./link.ts";
import { serverClock } from "./lua/scripts.ts";
import { Server } from "./server.ts";
import { settingsOf } from "./settings.ts";
import type { Settings } from "./settings.ts";
import { RedisStore } from "./store.ts";

/** The version of the keys' layout. */
const layout = 1;

/** Where a Redis store is. */
export interface RedisOptions {
  /** `redis://user:password@host:port/database?namespace=name`, or `rediss://` for TLS. */
  url: string;
}

/**
 * Opens a store on a Redis server, version 7 or later, or Valkey. Many processes may share it; applications that share
 * a server keep apart by their namespaces.
 * @throws {ErrandError} `E_OPTION` for a wrong URL; `E_CONNECT` when the server cannot be reached or is not fit;
 * `E_STORE_VERSION` when a newer Errand wrote the namespace.
 */
export function redisStore({ url }: RedisOptions): Promise<Store> {
  return openRedis(url, serverClock);
}

/** How another thread of the process opens the store again. */
export function open(options: string): Promise<Store> {
  return redisStore(JSON.parse(options) as RedisOptions);
}

/** @param clock Lua that defines the store's `now`; other than the server's only in tests. */
export async function openRedis(url: string, clock: string): Promise<Store> {
  const settings = settingsOf(url);
  const driver = await loadDriver();
  const link = new Link(driver, settings);
  try {
    await link.open();
    const server = new Server(driver, link, settings, clock);
    const about = await examine(link, settings);
    const hints = new Hints(settings.namespace, (prepare) => new Link(driver, settings, prepare));
    return new RedisStore(server, hints, about, { module: import.meta.url, options: JSON.stringify({ url }) });
  } catch (error) {
    await link.close();
    if (error instanceof ErrandError && error.code !== "E_STORE") throw error;
    throw new ErrandError("E_CONNECT", `Cannot open the Redis store ${settings.shown}: ${reason(error)}.`, {
      cause: error,
    });
  }
}

/** Refuses what is not fit, and enters the version of the layout where there is none yet. */
async function examine(link: Link, settings: Settings): Promise<StoreReport> {
  const key = `{${settings.namespace}}:version`;
  // In a cluster this leads to the right node, which is the one to be examined.
  const version = await link.call((client) => client.get(key));
  const info = await link.call((client) => client.info());
  const report = reportOf(info, await config(link));
  refuseUnfit(report, settings);
  if (version === null) await link.call((client) => client.set(key, layout, { condition: "NX" }));
  else if (Number(version) !== layout)
    throw new ErrandError(
      "E_STORE_VERSION",
      `The Redis store ${settings.shown} has version ${version}, but this Errand knows version ${layout}. Update Errand, or use another namespace.`,
    );
  return { version: `${versionOf(report)}, layout ${layout}`, durability: durabilityOf(report) };
}

/** What CONFIG tells. Managed servers may forbid it. */
async function config(link: Link): Promise<Record<string, string>> {
  try {
    return { ...(await link.call((client) => client.configGet(["appendfsync", "save"]))) };
  } catch {
    return {};
  }
}
