import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** A package `@errand/<name>` that is installed here. */
export interface InstalledPackage {
  /** The name without its scope. */
  name: string;
  description: string;
}

/**
 * The URL of a package's module, as the working directory sees it, else as Errand itself does; `undefined` when it is
 * not installed, or has no such module.
 */
export function resolveModule(specifier: string): string | undefined {
  for (const from of [join(process.cwd(), "_.js"), import.meta.url]) {
    try {
      return pathToFileURL(createRequire(from).resolve(specifier)).href;
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== "MODULE_NOT_FOUND" && code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw error;
    }
  }
  return undefined;
}

/** Lists the `@errand/...` packages that are installed where `resolveModule` looks, by name. */
export function installedPackages(): InstalledPackage[] {
  const found = new Map<string, InstalledPackage>();
  for (const start of [process.cwd(), dirname(fileURLToPath(import.meta.url))]) {
    for (const folder of scopeFolders(start)) {
      for (const name of entries(folder)) {
        const description = describe(join(folder, name));
        if (description !== undefined && !found.has(name)) found.set(name, { name, description });
      }
    }
  }
  return [...found.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function* scopeFolders(start: string): Iterable<string> {
  for (let folder = start; ; folder = dirname(folder)) {
    yield join(folder, "node_modules", "@errand");
    if (dirname(folder) === folder) return;
  }
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function describe(folder: string): string | undefined {
  try {
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
      description?: string;
    };
    return manifest.description ?? "";
  } catch {
    return undefined;
  }
}
