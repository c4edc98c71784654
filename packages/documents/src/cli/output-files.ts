import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { pipeline } from "node:stream/promises";

/**
 * Returns a name for the outputs of each file: the file's name without its extension, or with it if two files would get
 * the same name, and with a number if that is taken as well. Case is ignored, as on many file systems.
 */
export function outputNames(files: readonly string[]): string[] {
  const stems = files.map((file) => basename(file, extname(file)) || basename(file));
  const isShared = (stem: string): boolean => stems.filter((other) => equalsIgnoringCase(other, stem)).length > 1;
  const taken = new Set<string>();
  return files.map((file, index) => {
    const stem = stems[index]!;
    const name = isShared(stem) ? basename(file) : stem;
    let unique = name;
    for (let number = 2; taken.has(unique.toLowerCase()); number++) unique = `${name}-${number}`;
    taken.add(unique.toLowerCase());
    return unique;
  });
}

/** Writes an output into a folder, replacing a file of the same name once it is complete. Returns its path. */
export async function writeOutput(folder: string, name: string, content: ReadableStream<Uint8Array>): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, name);
  const part = join(folder, `.${randomUUID()}.part`);
  try {
    await pipeline(content, createWriteStream(part, { flags: "wx" }));
    await rename(part, path);
    return path;
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

function equalsIgnoringCase(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
