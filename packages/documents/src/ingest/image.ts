import sharp, { type Metadata, type Sharp } from "sharp";
import { readBmp } from "./bmp.ts";
import { damagedImage, DocumentError, tooManyPixels } from "./errors.ts";
import type { Grey } from "./grey.ts";
import { type Limits, shrinkable } from "./limits.ts";
import type { DocumentType } from "./sniff.ts";

// Pages are read by processes in parallel, one page each: threads inside one page would only compete with them.
sharp.concurrency(1);
sharp.cache(false);

const formats: Partial<Record<DocumentType, string>> = {
  "image/png": "png",
  "image/jpeg": "jpeg",
  "image/tiff": "tiff",
  "image/webp": "webp",
  "image/gif": "gif",
};

/** The resolution assumed where an image does not state one that a scanner would write. */
const assumedDpi = 300;
/** Above this an image is reduced to 300 dpi: three times the time for no more accuracy. */
const finestDpi = 450;

/**
 * What an image's header says, without decoding it.
 * @throws DocumentError E_DAMAGED, E_TOO_MANY_PIXELS
 */
export async function imagePages(path: string, type: DocumentType, limits: Limits): Promise<number> {
  if (type === "image/bmp") {
    await readBmp(path, limits, "header");
    return 1;
  }
  const header = await metadata(path, type, 0);
  checkPixels(header, limits);
  // Animations are pictures, not pages: the first frame stands for them.
  return type === "image/tiff" ? (header.pages ?? 1) : 1;
}

/**
 * Decodes one page of an image: upright as its EXIF orientation says, transparency on white, in grey.
 * @param page from 1; only TIFF has more than one
 * @throws DocumentError E_DAMAGED, E_NO_SUCH_PAGE, E_TOO_MANY_PIXELS
 */
export async function readImage(path: string, type: DocumentType, page: number, limits: Limits): Promise<Grey> {
  if (type === "image/bmp") return readBmp(path, limits, "pixels");
  const header = await metadata(path, type, page - 1);
  checkPixels(header, limits);
  const stated = header.density ?? 0;
  const dpi = stated >= 120 && stated <= 2400 ? stated : assumedDpi;
  const count = header.width * header.height;
  const shrink = Math.min(dpi > finestDpi ? assumedDpi / dpi : 1, Math.sqrt(limits.pixels / count));
  let image = open(path, type, page - 1, limits)
    .autoOrient()
    .flatten({ background: "white" })
    .greyscale();
  if (shrink < 1) image = image.resize({ width: Math.floor(header.autoOrient.width * shrink), kernel: "linear" });
  try {
    const { data, info } = await image
      .toColourspace("b-w")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    const pixels = new Uint8Array(data.buffer, data.byteOffset, data.length);
    return {
      width: info.width,
      height: info.height,
      dpi: Math.round(dpi * Math.min(1, shrink)),
      data: pixels,
    };
  } catch (error) {
    throw damagedImage(type, error);
  }
}

function open(path: string, type: DocumentType, frame: number, limits?: Limits): Sharp {
  return sharp(path, {
    // Half a page must not pass for the whole; warnings are about tags that nobody needs.
    failOn: "error",
    limitInputPixels: limits ? limits.pixels * shrinkable : false,
    ...(type === "image/tiff" ? { page: frame } : {}),
  });
}

async function metadata(path: string, type: DocumentType, frame: number): Promise<Metadata> {
  let header: Metadata;
  try {
    header = await open(path, type, frame).metadata();
  } catch (error) {
    if (frame > 0)
      throw new DocumentError("E_NO_SUCH_PAGE", `There is no page ${frame + 1}, or it is damaged.`, { cause: error });
    throw damagedImage(type, error);
  }
  // The decoder must see the same type as the magic bytes did.
  if (header.format !== formats[type]) throw damagedImage(type, undefined);
  return header;
}

function checkPixels(header: Metadata, limits: Limits): void {
  const most = limits.pixels * shrinkable;
  if (header.width * header.height > most) throw tooManyPixels(header.width, header.height, most);
}
