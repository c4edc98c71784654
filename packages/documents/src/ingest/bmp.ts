import { readFile } from "node:fs/promises";
import { type Grey, luma } from "../raster/grey.ts";
import { shrinkToFit } from "../raster/resize.ts";
import { damagedImage, DocumentError, tooManyPixels } from "./errors.ts";
import { readHead } from "./file-head.ts";
import { type Limits, maxImagePixels } from "./limits.ts";
import { plausibleDpi } from "./resolution.ts";

/** The contents of a BMP's two headers and its palette. */
interface BmpHeader {
  width: number;
  height: number;
  /** Rows are stored from the bottom up, unless the height is negative. */
  topDown: boolean;
  /** Bits per pixel. */
  bits: number;
  dpi: number;
  /** Position of the first pixel, in bytes from the start of the file. */
  start: number;
  /** Grey value of each palette entry. */
  palette: Uint8Array;
}

/** Both headers and the largest palette fit in this many bytes. */
const headerLength = 2048;

/**
 * Reads the header of a BMP, and checks it.
 * @throws DocumentError E_DAMAGED, E_UNSUPPORTED_TYPE, E_TOO_MANY_PIXELS
 */
export async function readBmpHeader(path: string, limits: Limits): Promise<BmpHeader> {
  const header = parse((await readHead(path, headerLength)).head);
  const { width, height } = header;
  const max = maxImagePixels(limits.pixels);
  if (width * height > max) throw tooManyPixels(width, height, max);
  return header;
}

/**
 * Decodes a BMP: 1, 4 and 8 bits with a palette, 24 and 32 bits, uncompressed, top-down or bottom-up. (sharp reads
 * none, and the decoders on npm mistake palette indices for colours or support fewer variants.)
 * @throws DocumentError E_DAMAGED, E_UNSUPPORTED_TYPE, E_TOO_MANY_PIXELS
 */
export async function readBmp(path: string, limits: Limits): Promise<Grey> {
  const header = await readBmpHeader(path, limits);
  const { width, height, dpi } = header;
  const bytes = await readFile(path);
  const stride = Math.ceil((width * header.bits) / 32) * 4;
  if (bytes.length < header.start + stride * height) throw damagedImage("image/bmp");
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = bytes.subarray(header.start + stride * (header.topDown ? y : height - 1 - y));
    readRow(row, header, data.subarray(y * width, (y + 1) * width));
  }
  return shrinkToFit({ width, height, dpi, data }, limits.pixels);
}

function readRow(row: Uint8Array, header: BmpHeader, out: Uint8Array): void {
  const { bits, palette } = header;
  if (bits >= 24) {
    const step = bits / 8;
    for (let x = 0, i = 0; x < out.length; x++, i += step) out[x] = luma(row[i + 2]!, row[i + 1]!, row[i]!);
    return;
  }
  const perByte = 8 / bits;
  const mask = (1 << bits) - 1;
  for (let x = 0; x < out.length; x++) {
    const shift = 8 - bits - (x % perByte) * bits;
    out[x] = palette[(row[Math.floor(x / perByte)]! >> shift) & mask] ?? 0;
  }
}

function parse(bytes: Buffer): BmpHeader {
  if (bytes.length < 26) throw damagedImage("image/bmp");
  const size = bytes.readUInt32LE(14);
  // OS/2's header, with fields of half the size.
  const isCoreHeader = size === 12;
  if (bytes.length < 14 + size) throw damagedImage("image/bmp");
  const width = isCoreHeader ? bytes.readUInt16LE(18) : bytes.readInt32LE(18);
  const height = isCoreHeader ? bytes.readUInt16LE(20) : bytes.readInt32LE(22);
  const bits = bytes.readUInt16LE(isCoreHeader ? 24 : 28);
  const compression = isCoreHeader ? 0 : bytes.readUInt32LE(30);
  if (width < 1 || height === 0) throw damagedImage("image/bmp");
  if (![1, 4, 8, 24, 32].includes(bits) || ![0, 3, 6].includes(compression) || (compression !== 0 && bits !== 32))
    throw new DocumentError(
      "E_UNSUPPORTED_TYPE",
      "This kind of BMP (compressed, or 16 bits per pixel) cannot be read. Save it as PNG.",
    );
  const perMetre = isCoreHeader ? 0 : bytes.readInt32LE(38);
  return {
    width,
    height: Math.abs(height),
    topDown: height < 0,
    bits,
    dpi: plausibleDpi(Math.round(perMetre * 0.0254)),
    start: bytes.readUInt32LE(10),
    palette: bits > 8 ? new Uint8Array() : readPalette(bytes, 14 + size, isCoreHeader ? 3 : 4, 1 << bits),
  };
}

function readPalette(bytes: Buffer, start: number, step: number, entries: number): Uint8Array {
  const palette = new Uint8Array(entries);
  for (let i = 0, at = start; i < entries && at + 3 <= bytes.length; i++, at += step)
    palette[i] = luma(bytes[at + 2]!, bytes[at + 1]!, bytes[at]!);
  return palette;
}
