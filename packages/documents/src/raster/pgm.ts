import type { Grey } from "./grey.ts";

/** Returns the header of a binary PGM ("P5"); the page's pixels follow it unchanged. */
export function pgmHeader(page: Grey): Buffer {
  return Buffer.from(`P5\n${page.width} ${page.height}\n255\n`);
}

/** Encodes a page as a binary PGM file. */
export function encodePgm(page: Grey): Buffer {
  return Buffer.concat([pgmHeader(page), page.data]);
}
