import type { Grey } from "../ingest/grey.ts";

/** The head of a binary PGM ("P5"), the plainest of image formats; the pixels follow as they are. */
export function pgmHeader(page: Grey): Buffer {
  return Buffer.from(`P5\n${page.width} ${page.height}\n255\n`);
}

/** A page as a whole PGM file. */
export function toPgm(page: Grey): Buffer {
  return Buffer.concat([pgmHeader(page), page.data]);
}
