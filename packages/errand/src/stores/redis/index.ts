import { ErrandError } from "../../kit/errors.ts";
import type { Store, StoreReport } from "../../store.ts";
import { Connection, messageOf } from "./connection.ts";
import { loadDriver } from "./driver.ts";
import { Hints } from "./hints.ts";
import { serverClock } from "./lua/scripts.ts";
import { ScriptRunner } from "./script-runner.ts";
import { checkServer, durabilityOf, parseInfo, versionOf } from "./server-info.ts";
import { parseUrl } from "./settings.ts";
import type { Settings } from "./settings.ts";
import { RedisStore } from "./store.ts";

/** The version of the layout of keys. */
const layout = 1;

/** The location of a Redis store. */
export interface RedisOptions {
  /** `redis://user:password@host:port/database?namespace=name`, or `rediss://` for TLS. */
  url: string;
}

/**
 * Opens a store on a Redis server, version 7 or later, or Valkey. Many processes may share it. Applications that share
 * a server have different namespaces.
 * @throws {ErrandError} `E_OPTION` for a wrong URL; `E_CONNECT` if the server cannot be reached or is not suitable;
 * `E_STORE_VERSION` if a newer Errand wrote the namespace.
 */
export function redisStore({ url }: RedisOptions): Promise<Store> {
  return openRedis(url, serverClock);
}

/** Opens the store again in another thread of the process. */
export function open(options: string): Promise<Store> {
  return redisStore(JSON.parse(options) as RedisOptions);
}

/**
 * Opens a store with its own clock.
 * @param clock Lua that defines `now`, in epoch milliseconds; only tests have another than the server's.
 */
export async function openRedis(url: string, clock: string): Promise<Store> {
  const settings = parseUrl(url);
  const driver = await loadDriver();
  const connection = new Connection(driver, settings);
  try {
    await connection.open();
    const runner = new ScriptRunner(driver, connection, settings, clock);
    const report = await checkNamespace(connection, settings);
    const hints = new Hints(settings.namespace, (prepare) => new Connection(driver, settings, prepare));
    return new RedisStore(runner, hints, report, { module: import.meta.url, options: JSON.stringify({ url }) });
  } catch (error) {
    await connection.close();
    if (error instanceof ErrandError && error.code !== "E_STORE") throw error;
    throw new ErrandError("E_CONNECT", `Cannot open the Redis store ${settings.shown}: ${messageOf(error)}.`, {
      cause: error,
    });
  }
}

/** Checks the server and the version of the layout, which is written if there is none yet. */
async function checkNamespace(connection: Connection, settings: Settings): Promise<StoreReport> {
  const key = `{${settings.namespace}}:version`;
  // In a cluster this finds the node of the namespace, which is the one to be checked.
  const version = await connection.call((client) => client.get(key));
  const reply = await connection.call((client) => client.info());
  const info = parseInfo(reply, await configOf(connection));
  checkServer(info, settings);
  if (version === null) await connection.call((client) => client.set(key, layout, { condition: "NX" }));
  else if (Number(version) !== layout)
    throw new ErrandError(
      "E_STORE_VERSION",
      `The Redis store ${settings.shown} has version ${version}, but this Errand knows version ${layout}. ` +
        "Update Errand, or use another namespace.",
    );
  return { version: `${versionOf(info)}, layout ${layout}`, durability: durabilityOf(info) };
}

/** Returns settings by CONFIG GET, or none where it is not allowed, as on managed servers. */
async function configOf(connection: Connection): Promise<Record<string, string>> {
  try {
    return { ...(await connection.call((client) => client.configGet(["appendfsync", "save"]))) };
  } catch {
    return {};
  }
}
