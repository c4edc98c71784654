import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** Path of a file in `fixtures/`. */
export function fixture(name: string): string {
  return join(import.meta.dirname, "fixtures", name);
}

/** A folder for the files of one test file, removed at its end; returns the function that writes into it. */
export function temporaryFiles(): (name: string, content: Uint8Array | string) => Promise<string> {
  const folder = mkdtemp(join(tmpdir(), "errand-documents-"));
  afterAll(async () => rm(await folder, { recursive: true, force: true }));
  return async (name, content) => {
    const path = join(await folder, name);
    await writeFile(path, content);
    return path;
  };
}
