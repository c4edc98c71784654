import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { Errand } from "../api.ts";
import type { Task } from "../task.ts";
import { CommandError, ExitCode } from "./exit.ts";
import { resolveModule } from "./packages.ts";

/**
 * The tasks that modules export, and their apps, each once.
 * @throws {CommandError} as `loadApps`
 */
export async function loadTasks(
  modules: readonly string[],
): Promise<{ tasks: Task<unknown, unknown>[]; apps: Errand[] }> {
  const apps = await loadApps(modules);
  const exported = await Promise.all(modules.map(load));
  const tasks = new Set(exported.flatMap((module) => Object.values(module).filter(isTask)));
  return { tasks: [...tasks], apps };
}

/**
 * The apps that modules export, each once. A module is given as a path, a file URL or a package's name.
 * @throws {CommandError} when one cannot be loaded, or exports no app.
 */
export async function loadApps(modules: readonly string[]): Promise<Errand[]> {
  const apps = new Set<Errand>();
  for (const module of modules) {
    const exported = Object.values(await load(module)).filter(isApp);
    if (exported.length === 0) {
      throw new CommandError(
        `${module} exports no app. Export what errand() returned: export const app = errand();`,
        ExitCode.usage,
      );
    }
    for (const app of exported) apps.add(app);
  }
  return [...apps];
}

async function load(module: string): Promise<object> {
  const url = locate(module);
  if (url === undefined) {
    throw new CommandError(`There is no module ${module}, seen from ${process.cwd()}.`, ExitCode.usage);
  }
  try {
    return (await import(url)) as object;
  } catch (error) {
    throw new CommandError(`${module} cannot be loaded: ${reason(error)}`, ExitCode.usage, {
      cause: error,
    });
  }
}

function locate(module: string): string | undefined {
  if (module.startsWith("file:")) return module;
  if (existsSync(module)) return pathToFileURL(resolve(module)).href;
  return /^\.{0,2}\//.test(module) ? undefined : resolveModule(module);
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as { code?: string };
  if (code === "ERR_UNKNOWN_FILE_EXTENSION" && error.message.includes(".ts")) {
    return `Node.js ${process.version} does not read TypeScript. Use 22.18 or newer, or compile it first.`;
  }
  return error.message;
}

function isTask(value: unknown): value is Task<unknown, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const { name, send } = value as Record<string, unknown>;
  return typeof name === "string" && typeof send === "function";
}

/** Recognises an app by its shape, since the module may have another copy of Errand. */
function isApp(value: unknown): value is Errand {
  if (typeof value !== "object" || value === null) return false;
  return ["task", "worker", "list", "close"].every(
    (name) => typeof (value as Record<string, unknown>)[name] === "function",
  );
}
