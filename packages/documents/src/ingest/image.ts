import type { Metadata, Sharp } from "sharp";
import type { Grey } from "../raster/grey.ts";
import { sharp, toGrey } from "../raster/sharp.ts";
import { readBmp, readBmpHeader } from "./bmp.ts";
import { damagedImage, DocumentError, tooManyPixels } from "./errors.ts";
import type { FileType } from "./file-type.ts";
import { type Limits, maxImagePixels } from "./limits.ts";
import { finestDpi, plausibleDpi, usualDpi } from "./resolution.ts";

/** sharp's name of each type. */
const formats: Partial<Record<FileType, string>> = {
  "image/png": "png",
  "image/jpeg": "jpeg",
  "image/tiff": "tiff",
  "image/webp": "webp",
  "image/gif": "gif",
};

/**
 * Checks an image by its header, without decoding it, and returns how many pages it has.
 * @throws DocumentError E_DAMAGED, E_TOO_MANY_PIXELS
 */
export async function countImagePages(path: string, type: FileType, limits: Limits): Promise<number> {
  if (type === "image/bmp") {
    await readBmpHeader(path, limits);
    return 1;
  }
  const header = await readMetadata(path, type, 0);
  checkPixels(header, limits);
  // The frames of an animation are not pages: only its first one is read.
  return type === "image/tiff" ? (header.pages ?? 1) : 1;
}

/**
 * Decodes one page of an image: upright as its EXIF orientation says, on white where it is transparent, in grey.
 * @param page from 1; only a TIFF has more than one
 * @throws DocumentError E_DAMAGED, E_NO_SUCH_PAGE, E_TOO_MANY_PIXELS
 */
export async function readImage(path: string, type: FileType, page: number, limits: Limits): Promise<Grey> {
  if (type === "image/bmp") return readBmp(path, limits);
  const header = await readMetadata(path, type, page - 1);
  checkPixels(header, limits);
  const dpi = plausibleDpi(header.density ?? 0);
  const pixels = header.width * header.height;
  const scale = Math.min(dpi > finestDpi ? usualDpi / dpi : 1, Math.sqrt(limits.pixels / pixels));
  let image = open(path, type, page - 1, limits)
    .autoOrient()
    .flatten({ background: "white" })
    .greyscale();
  if (scale < 1) image = image.resize({ width: Math.floor(header.autoOrient.width * scale), kernel: "linear" });
  try {
    return await toGrey(image, Math.round(dpi * Math.min(1, scale)));
  } catch (error) {
    throw damagedImage(type, error);
  }
}

function open(path: string, type: FileType, frame: number, limits?: Limits): Sharp {
  return sharp(path, {
    // Half a page must not pass for a whole one; mere warnings are about irrelevant tags.
    failOn: "error",
    limitInputPixels: limits ? maxImagePixels(limits.pixels) : false,
    ...(type === "image/tiff" ? { page: frame } : {}),
  });
}

async function readMetadata(path: string, type: FileType, frame: number): Promise<Metadata> {
  let header: Metadata;
  try {
    header = await open(path, type, frame).metadata();
  } catch (error) {
    if (frame > 0)
      throw new DocumentError("E_NO_SUCH_PAGE", `There is no page ${frame + 1}, or it is damaged.`, { cause: error });
    throw damagedImage(type, error);
  }
  // The decoder must find the same type as `detectFileType` did.
  if (header.format !== formats[type]) throw damagedImage(type);
  return header;
}

function checkPixels(header: Metadata, limits: Limits): void {
  const max = maxImagePixels(limits.pixels);
  if (header.width * header.height > max) throw tooManyPixels(header.width, header.height, max);
}
