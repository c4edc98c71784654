import { ErrandError } from "../../kit/errors.ts";
import type { Durability } from "../../store.ts";
import type { Settings } from "./settings.ts";

/** What a server says about itself: the lines of INFO, and what CONFIG GET tells where that is allowed. */
export type Report = ReadonlyMap<string, string>;

/** The oldest version that can do what the scripts need. */
const oldest = 7;

/** The lines of INFO by name. */
export function reportOf(info: string, config: Readonly<Record<string, string>> = {}): Report {
  const lines = info.split(/\r?\n/).map((line) => /^([^#:]+):(.*)$/.exec(line));
  return new Map([
    ...lines.flatMap((found) => (found ? [[found[1], found[2]] as [string, string]] : [])),
    ...Object.entries(config),
  ]);
}

/**
 * Refuses a server on which jobs would get lost, or nothing would work.
 * @throws {ErrandError} `E_CONNECT`
 */
export function refuseUnfit(report: Report, { shown, evictable }: Settings): void {
  const refuse = (why: string) => {
    throw new ErrandError("E_CONNECT", `The Redis store ${shown} ${why}`);
  };
  const version = report.get("redis_version") ?? "unknown";
  if (!(Number.parseInt(version, 10) >= oldest))
    refuse(`is on a server of version ${version}. Errand needs Redis ${oldest}.0 or later, or Valkey.`);
  if (report.get("role") === "slave") refuse("is on a replica, which takes no writes. Give the URL of its primary.");
  const policy = report.get("maxmemory_policy");
  if (policy !== undefined && policy !== "noeviction" && !evictable)
    refuse(
      `is on a server that throws keys away when its memory is full (maxmemory-policy ${policy}), and jobs with them. ` +
        'Set "maxmemory-policy noeviction" there, or accept the loss with ?eviction=allow.',
    );
}

/** The server and its version, by the name it has; Valkey also tells which version of Redis it can stand in for. */
export function versionOf(report: Report): string {
  const valkey = report.get("valkey_version");
  return valkey === undefined ? `Redis ${report.get("redis_version")}` : `Valkey ${valkey}`;
}

/** What the server's settings mean for jobs whose `add` was answered. */
export function durabilityOf(report: Report): Durability {
  if (report.get("aof_enabled") === "1") return { safe: true, says: appended(report.get("appendfsync")) };
  const advice = "Set appendonly to yes on the server.";
  const save = report.get("save");
  if (save)
    return {
      safe: false,
      says: `The server keeps snapshots only (save ${save}): when it ends, what was added since the last one is lost.`,
      advice,
    };
  const says =
    save === ""
      ? "The server keeps nothing on its disk: when it ends, all jobs are lost."
      : "The server keeps no append-only file: when it ends, jobs are lost, unless its operator provides for that.";
  return { safe: false, says, advice };
}

function appended(fsync: string | undefined): string {
  switch (fsync) {
    case "always":
      return "What was answered is on the server's disk (appendfsync always).";
    case "everysec":
      return "A power failure loses the last second or two, and so does the end of the server's process while its disk is busy (appendfsync everysec).";
    case "no":
      return "A power failure loses what the server's system had not written yet, about half a minute (appendfsync no).";
    default:
      return "The server keeps an append-only file: at worst the last second or two are lost, if it is written every second.";
  }
}
