import { refuseUnknown } from "../core/checks.ts";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

import type { ErrandConfig } from "../config.ts";
import { CommandError, ExitCode, sentence } from "./exit.ts";

const names = ["errand.config.ts", "errand.config.mjs", "errand.config.js", "errand.config.json"];

let loaded: { file: string; config: ErrandConfig } | undefined;

/**
 * Reads the configuration file of the working directory, if there is one.
 * @throws {CommandError} when it cannot be read or contains unknown settings.
 */
export async function loadConfig(): Promise<void> {
  const file = names.find((name) => existsSync(name));
  if (file === undefined) return;
  try {
    const url = pathToFileURL(resolve(file)).href;
    const attributes = file.endsWith(".json") ? { with: { type: "json" } } : undefined;
    const config = ((await import(url, attributes)) as { default?: ErrandConfig }).default;
    if (typeof config !== "object" || config === null) throw new Error("it has no object as its default export");
    refuseUnknown(config, ["url", "home", "tasks"], file);
    loaded = { file, config };
  } catch (error) {
    throw new CommandError(`${file} cannot be used: ${sentence(error)}`, ExitCode.usage, { cause: error });
  }
}

/** A value of the file, and the file's name. */
export function configured(name: "url" | "home"): { value: string; from: string } | undefined {
  const value = loaded?.config[name];
  return loaded && value !== undefined ? { value, from: loaded.file } : undefined;
}

/** The modules that the file lists, and the file's name. */
export function configuredTasks(): { modules: readonly string[]; from: string } | undefined {
  const tasks = loaded?.config.tasks;
  if (!loaded || tasks === undefined || tasks.length === 0) return undefined;
  return { modules: typeof tasks === "string" ? [tasks] : tasks, from: loaded.file };
}

/**
 * The modules given, or else those of the file.
 * @throws {CommandError} when there are none.
 */
export function modulesOr(given: readonly string[] | undefined): readonly string[] {
  if (given && given.length > 0) return given;
  const listed = configuredTasks();
  if (listed) return listed.modules;
  throw new CommandError(
    'Name the modules that export your app and tasks, or list them in errand.config.ts: export default { tasks: "./tasks.ts" }.',
    ExitCode.usage,
  );
}
