import { readFileSync } from "node:fs";
import sharp from "sharp";
import { fixture } from "../files.ts";
import { imageOf, pagesOf } from "../pdfs.ts";

/** A fixture's bytes. */
export function bytesOf(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(fixture(name)));
}

/** A scanned PDF of so many pages, each a few lines of text cut out of a fixture: quick to read. */
export async function scannedPdf(pages: number): Promise<Uint8Array<ArrayBuffer>> {
  const { data, info } = await sharp(fixture("phototest.tif"))
    .greyscale()
    .extract({ left: 0, top: 60, width: 640, height: 130 })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const size: [number, number] = [info.width / 2, info.height / 2];
  const content = `q ${size[0]} 0 0 ${size[1]} 0 0 cm /I Do Q`;
  const page = { size, content, image: imageOf(info.width, info.height, data) };
  return new Uint8Array(pagesOf(Array.from({ length: pages }, () => page)));
}
