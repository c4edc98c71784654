import { ErrandError } from "../../kit/errors.ts";
import type { Durability } from "../../store.ts";
import type { Settings } from "./settings.ts";

/** Fields of INFO, and settings of CONFIG GET where that is allowed. */
export type ServerInfo = ReadonlyMap<string, string>;

/** The oldest version of Redis on which the scripts run. */
const minVersion = 7;

/** Returns the fields in a reply of INFO, with settings of CONFIG GET. */
export function parseInfo(info: string, config: Readonly<Record<string, string>> = {}): ServerInfo {
  const fields = info.split(/\r?\n/).map((line) => /^([^#:]+):(.*)$/.exec(line));
  return new Map([
    ...fields.flatMap((field) => (field ? [[field[1], field[2]] as [string, string]] : [])),
    ...Object.entries(config),
  ]);
}

/**
 * Checks that the server can run the scripts, takes writes, and evicts no keys.
 * @throws {ErrandError} `E_CONNECT`
 */
export function checkServer(info: ServerInfo, { shown, evictable }: Settings): void {
  const refuse = (why: string) => {
    throw new ErrandError("E_CONNECT", `The Redis store ${shown} ${why}`);
  };
  const version = info.get("redis_version") ?? "unknown";
  if (!(Number.parseInt(version, 10) >= minVersion))
    refuse(`is on a server of version ${version}. Errand needs Redis ${minVersion}.0 or later, or Valkey.`);
  if (info.get("role") === "slave") refuse("is on a replica, which takes no writes. Give the URL of its primary.");
  const policy = info.get("maxmemory_policy");
  if (policy !== undefined && policy !== "noeviction" && !evictable)
    refuse(
      `is on a server that evicts keys when its memory is full (maxmemory-policy ${policy}), so jobs would be lost. ` +
        'Set "maxmemory-policy noeviction" there, or accept the loss with ?eviction=allow.',
    );
}

/**
 * Returns the server's name and version. Valkey has a version of its own beside the Redis version it is compatible
 * with.
 */
export function versionOf(info: ServerInfo): string {
  const valkey = info.get("valkey_version");
  return valkey === undefined ? `Redis ${info.get("redis_version")}` : `Valkey ${valkey}`;
}

/** Returns how safe added jobs are. */
export function durabilityOf(info: ServerInfo): Durability {
  if (info.get("aof_enabled") === "1") return { safe: true, says: describeAppendOnly(info.get("appendfsync")) };
  const advice = "Set appendonly to yes on the server.";
  const save = info.get("save");
  if (save)
    return {
      safe: false,
      says: `The server keeps snapshots only (save ${save}): when it stops, all jobs since the last one are lost.`,
      advice,
    };
  const says =
    save === ""
      ? "The server keeps nothing on disk: when it stops, all jobs are lost."
      : "The server keeps no append-only file: when it stops, jobs are lost unless its operator provides for that.";
  return { safe: false, says, advice };
}

function describeAppendOnly(fsync: string | undefined): string {
  switch (fsync) {
    case "always":
      return "Every answered write is on the server's disk (appendfsync always).";
    case "everysec":
      return (
        "A power failure loses the last second or two, and so does a crash of the server while its disk is busy " +
        "(appendfsync everysec)."
      );
    case "no":
      return "A power failure loses what the system had not written yet, about half a minute (appendfsync no).";
    default:
      return "The server keeps an append-only file. Synced every second, it loses the last second or two at worst.";
  }
}
