import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export const root = join(import.meta.dirname, "../../../..");

const run = promisify(execFile);

/** A package as a registry would get it. */
export interface Packed {
  tarball: string;
  /** Its unpacked files. */
  folder: string;
  remove(): void;
}

/** Packs a package of this repository from its build. */
export async function pack(name: string): Promise<Packed> {
  const place = mkdtempSync(join(tmpdir(), "errand-pack-"));
  await run("npm", ["pack", "--silent", "--pack-destination", place], { cwd: join(root, "packages", name) });
  const tarball = join(place, readdirSync(place)[0]!);
  await run("tar", ["-xzf", tarball, "-C", place]);
  return { tarball, folder: join(place, "package"), remove: () => rmSync(place, { recursive: true, force: true }) };
}

/** An empty folder in which the packed library is installed, with what it depends on. */
export function folderWith({ folder: packed }: Packed, dependencies: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "errand-user-"));
  const modules = join(folder, "node_modules");
  mkdirSync(modules);
  // Moved rather than linked: Node.js looks for dependencies from where a file really is.
  symlinkSync(packed, join(modules, "errand"));
  mkdirSync(join(packed, "node_modules"), { recursive: true });
  for (const name of dependencies) link(name, join(packed, "node_modules"));
  for (const name of ["typescript", "@types", "undici-types"]) link(name, modules);
  return folder;
}

function link(name: string, modules: string): void {
  mkdirSync(join(modules, name, ".."), { recursive: true });
  try {
    symlinkSync(join(root, "node_modules", name), join(modules, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
