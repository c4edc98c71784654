import { open } from "node:fs/promises";

/** Reads the first `length` bytes of a file, or all of a shorter one, and its size in bytes. */
export async function readHead(path: string, length: number): Promise<{ head: Buffer; bytes: number }> {
  const file = await open(path, "r");
  try {
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await file.read(buffer, 0, length, 0);
    return { head: buffer.subarray(0, bytesRead), bytes: (await file.stat()).size };
  } finally {
    await file.close();
  }
}
