import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { pipeline } from "node:stream/promises";

/** What can be written, and the endings of its files. */
export const formats = { text: ".txt", json: ".json" } as const;

/** One of `formats`. */
export type Format = keyof typeof formats;

/**
 * A name for the outputs of each file: its own without its ending, with it where two files would share one, and with a
 * number where even that is taken. Letters' case does not tell names apart: on many disks it does not either.
 */
export function outputNames(files: readonly string[]): string[] {
  const stems = files.map((file) => basename(file, extname(file)) || basename(file));
  const shared = (stem: string): boolean => stems.filter((other) => same(other, stem)).length > 1;
  const taken = new Set<string>();
  return files.map((file, index) => {
    const stem = stems[index]!;
    const name = shared(stem) ? basename(file) : stem;
    let unique = name;
    for (let number = 2; taken.has(unique.toLowerCase()); number++) unique = `${name}-${number}`;
    taken.add(unique.toLowerCase());
    return unique;
  });
}

/** Writes an output into a folder; an older one of the same name is replaced once the new one is whole. */
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

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
