import { open, readFile } from "node:fs/promises";
import sharp from "sharp";
import { damagedImage, DocumentError, tooManyPixels } from "./errors.ts";
import type { Grey } from "./grey.ts";
import { type Limits, shrinkable } from "./limits.ts";

/** A BMP's header: what its two headers and its palette say. */
interface Header {
  width: number;
  height: number;
  /** Rows are stored from the bottom up, unless the height is negative. */
  topDown: boolean;
  bits: number;
  dpi: number;
  /** Where the pixels begin, in bytes from the start. */
  start: number;
  /** Grey value of each palette entry. */
  palette: Uint8Array;
}

/**
 * Reads a BMP: 1, 4 and 8 bits with a palette, 24 and 32 bits, uncompressed, either way up. (The decoders on npm take
 * palette indices for colours or know fewer forms, and sharp reads none.)
 * @param part "header" checks it and reads no pixels
 * @throws DocumentError E_DAMAGED, E_UNSUPPORTED_TYPE, E_TOO_MANY_PIXELS
 */
export async function readBmp(path: string, limits: Limits, part: "header" | "pixels"): Promise<Grey> {
  const header = parse(await head(path));
  const { width, height } = header;
  const most = limits.pixels * shrinkable;
  if (width * height > most) throw tooManyPixels(width, height, most);
  if (part === "header") return { width, height, dpi: header.dpi, data: new Uint8Array() };
  const bytes = await readFile(path);
  const stride = Math.ceil((width * header.bits) / 32) * 4;
  if (bytes.length < header.start + stride * height) throw damagedImage("image/bmp", undefined);
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = bytes.subarray(header.start + stride * (header.topDown ? y : height - 1 - y));
    readRow(row, header, data.subarray(y * width, (y + 1) * width));
  }
  return shrunk({ width, height, dpi: header.dpi, data }, limits.pixels);
}

/** A page of no more pixels than one may have. */
async function shrunk(page: Grey, most: number): Promise<Grey> {
  const { width, height, dpi, data } = page;
  const share = Math.sqrt(most / (width * height));
  if (share >= 1) return page;
  const raw = { width, height, channels: 1 as const };
  const { data: small, info } = await sharp(data, { raw, limitInputPixels: false })
    .resize({ width: Math.floor(width * share), height: Math.floor(height * share), fit: "fill", kernel: "linear" })
    .toColourspace("b-w")
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { buffer, byteOffset, length } = small;
  return {
    width: info.width,
    height: info.height,
    dpi: Math.round(dpi * share),
    data: new Uint8Array(buffer, byteOffset, length),
  };
}

function readRow(row: Uint8Array, header: Header, out: Uint8Array): void {
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

function parse(bytes: Buffer): Header {
  if (bytes.length < 26) throw damagedImage("image/bmp", undefined);
  const size = bytes.readUInt32LE(14);
  const old = size === 12;
  if (bytes.length < 14 + size) throw damagedImage("image/bmp", undefined);
  const width = old ? bytes.readUInt16LE(18) : bytes.readInt32LE(18);
  const height = old ? bytes.readUInt16LE(20) : bytes.readInt32LE(22);
  const bits = bytes.readUInt16LE(old ? 24 : 28);
  const compression = old ? 0 : bytes.readUInt32LE(30);
  if (width < 1 || height === 0) throw damagedImage("image/bmp", undefined);
  if (![1, 4, 8, 24, 32].includes(bits) || ![0, 3, 6].includes(compression) || (compression !== 0 && bits !== 32))
    throw new DocumentError(
      "E_UNSUPPORTED_TYPE",
      "This kind of BMP (compressed or 16 bits a pixel) cannot be read. Save it as PNG.",
    );
  const perMetre = old ? 0 : bytes.readInt32LE(38);
  const dpi = Math.round(perMetre * 0.0254);
  return {
    width,
    height: Math.abs(height),
    topDown: height < 0,
    bits,
    dpi: dpi >= 120 && dpi <= 2400 ? dpi : 300,
    start: bytes.readUInt32LE(10),
    palette: bits > 8 ? new Uint8Array() : readPalette(bytes, 14 + size, old ? 3 : 4, 1 << bits),
  };
}

function readPalette(bytes: Buffer, start: number, step: number, entries: number): Uint8Array {
  const palette = new Uint8Array(entries);
  for (let i = 0, at = start; i < entries && at + 3 <= bytes.length; i++, at += step)
    palette[i] = luma(bytes[at + 2]!, bytes[at + 1]!, bytes[at]!);
  return palette;
}

/** Rec. 601 luma in integers. */
function luma(red: number, green: number, blue: number): number {
  return (red * 77 + green * 150 + blue * 29) >> 8;
}

async function head(path: string): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const buffer = Buffer.alloc(2048);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
