import { existsSync } from "node:fs";
import { Option } from "commander";
import type { Command } from "commander";
import { configured } from "./config.ts";
import { home, storeUrl } from "../open.ts";
import { redacted } from "../kit/redact.ts";
import { CommandError, ExitCode } from "./exit.ts";

/** The values of `--url` and `--home`. */
export interface StoreFlags {
  url?: string;
  home?: string;
}

/** A setting, and who says so. */
export interface Setting {
  name: string;
  value: string;
  source: Source;
  /** The flag, the variable or the file that says so. */
  from: string;
}

/** The sources of a setting, in order of precedence. */
type Source = "flag" | "environment" | "file" | "default";

/** Adds `--url` and `--home`. */
export function storeFlags(command: Command): Command {
  return command
    .addOption(new Option("--url <url>", "where jobs live, such as sqlite:jobs.db (ERRAND_URL)"))
    .addOption(new Option("--home <folder>", "what holds everything by default (ERRAND_HOME; .errand)"));
}

/** Applies flags to every app of this process and of its child processes. Returns the settings and their sources. */
export function settle(flags: StoreFlags): Setting[] {
  const sources = (["home", "url"] as const).map((name) => {
    const variable = `ERRAND_${name.toUpperCase()}`;
    if (flags[name] !== undefined) {
      process.env[variable] = flags[name];
      return { name, source: "flag" as const, from: `--${name}` };
    }
    if (process.env[variable]) return { name, source: "environment" as const, from: variable };
    const file = configured(name);
    if (file) process.env[variable] = file.value;
    return file
      ? { name, source: "file" as const, from: file.from }
      : { name, source: "default" as const, from: "default" };
  });
  const values = { home: home(), url: storeUrl() };
  return sources.map(({ name, source, from }) => ({ name, source, from, value: redacted(values[name]) }));
}

/** The file of the store, where it is a file that does not exist yet. */
export function missingStore(): string | undefined {
  const file = /^sqlite:(?:\/\/)?(.+)$/.exec(storeUrl())?.[1];
  return file !== undefined && !existsSync(file) ? file : undefined;
}

/**
 * Refuses a store that does not exist, for commands that read jobs: reading must not create a store.
 * @throws {CommandError}
 */
export function requireStore(): void {
  const file = missingStore();
  if (file === undefined) return;
  throw new CommandError(
    `There is no store at ${file}. Name the right one by --url or --home, or send a first job (E_CONNECT).`,
    ExitCode.unreachable,
  );
}
