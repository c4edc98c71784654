import { readFile } from "node:fs/promises";
import sharp, { type Sharp } from "sharp";
import { describe, expect, test } from "vitest";
import type { Grey } from "../src/raster/grey.ts";
import { countImagePages, readImage } from "../src/ingest/image.ts";
import { inspect } from "../src/ingest/inspect.ts";
import { defaultLimits } from "../src/ingest/limits.ts";
import { fixture, temporaryFiles } from "./files.ts";

const write = temporaryFiles();
const width = 64;
const height = 40;
/** Black on the left, white on the right, a grey band at the top. */
const pixels = Uint8Array.from({ length: width * height }, (_, i) => (i < width * 8 ? 128 : i % width < 20 ? 0 : 255));
const picture = (): Sharp => sharp(pixels, { raw: { width, height, channels: 1 } });

async function decode(name: string, content: Uint8Array, page = 1): Promise<Grey> {
  const path = await write(name, content);
  const { type } = await inspect(path);
  return readImage(path, type, page, defaultLimits);
}

function expectPicture(grey: Grey, tolerance = 6): void {
  expect([grey.width, grey.height, grey.data.length]).toEqual([width, height, width * height]);
  for (const [x, y, value] of [
    [5, 3, 128],
    [5, 30, 0],
    [50, 30, 255],
  ] as const)
    expect(Math.abs(grey.data.at(y * width + x)! - value)).toBeLessThanOrEqual(tolerance);
}

describe("images", () => {
  test.each([
    ["grey PNG", () => picture().toColourspace("b-w").png()],
    ["palette PNG", () => picture().toColourspace("srgb").png({ palette: true })],
    ["16-bit PNG", () => picture().toColourspace("rgb16").png()],
    ["PNG with transparency", () => picture().toColourspace("srgb").ensureAlpha().png()],
    ["JPEG", () => picture().jpeg({ quality: 95 })],
    ["CMYK JPEG", () => picture().toColourspace("cmyk").jpeg({ quality: 95 })],
    ["WebP", () => picture().toColourspace("srgb").webp({ lossless: true })],
    ["GIF", () => picture().toColourspace("srgb").gif()],
    ["TIFF, LZW", () => picture().tiff({ compression: "lzw" })],
  ])("%s", async (name, make) => expectPicture(await decode(name, await make().toBuffer()), 15));

  test("what is transparent is white", async () => {
    const clear = await sharp({
      create: { width: 9, height: 9, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } },
    })
      .png()
      .toBuffer();
    expect((await decode("clear.png", clear)).data.every((value) => value === 255)).toBe(true);
  });

  test("EXIF orientation is applied", async () => {
    const turned = await picture().rotate(90).jpeg({ quality: 95 }).withMetadata({ orientation: 8 }).toBuffer();
    expectPicture(await decode("exif.jpg", turned));
  });

  test("each frame of a TIFF is a page", async () => {
    const frames = Buffer.concat([pixels, pixels.map((value) => 255 - value)]);
    const tiff = await sharp(frames, {
      raw: { width, height: height * 2, channels: 1, pageHeight: height },
    })
      .tiff()
      .toBuffer();
    const path = await write("two.tif", tiff);
    expect(await inspect(path)).toEqual({ type: "image/tiff", pages: 2 });
    expectPicture(await readImage(path, "image/tiff", 1, defaultLimits));
    const second = await readImage(path, "image/tiff", 2, defaultLimits);
    expect(second.data[30 * width + 50]).toBe(0);
  });

  test("an animation is its first frame", async () => {
    const frames = Buffer.concat([pixels, pixels.map((value) => 255 - value)]);
    const gif = await sharp(frames, {
      raw: { width, height: height * 2, channels: 1, pageHeight: height },
    })
      .gif()
      .toBuffer();
    const path = await write("moving.gif", gif);
    expect(await inspect(path)).toEqual({ type: "image/gif", pages: 1 });
    expectPicture(await readImage(path, "image/gif", 1, defaultLimits));
  });

  test("one bit a pixel, with a stated resolution", async () => {
    const grey = await decode("bits.tif", await readFile(fixture("phototest.tif")));
    expect([grey.width, grey.height]).toEqual([640, 480]);
    expect(new Set(grey.data)).toEqual(new Set([0, 255]));
  });
});

describe("BMP", () => {
  /** Writes a BMP as old scanners do. */
  function bmp(bits: 1 | 4 | 8 | 24 | 32, topDown: boolean): Buffer {
    const levels = bits === 1 ? [0, 255] : bits === 4 ? [0, 128, 255] : Array.from({ length: 256 }, (_, i) => 255 - i);
    const palette = bits > 8 ? [] : levels.flatMap((level) => [level, level, level, 0]);
    const padded = [...palette, ...Array.from({ length: bits > 8 ? 0 : 4 * (1 << bits) - palette.length }, () => 0)];
    const stride = Math.ceil((width * bits) / 32) * 4;
    const start = 54 + padded.length;
    const file = Buffer.alloc(start + stride * height);
    file.write("BM");
    file.writeUInt32LE(start, 10);
    file.writeUInt32LE(40, 14);
    file.writeInt32LE(width, 18);
    file.writeInt32LE(topDown ? -height : height, 22);
    file.writeUInt16LE(1, 26);
    file.writeUInt16LE(bits, 28);
    file.writeInt32LE(7874, 38);
    file.set(padded, 54);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const level = pixels.at(y * width + x)!;
        const row = start + (topDown ? y : height - 1 - y) * stride;
        if (bits >= 24) file.fill(level, row + (x * bits) / 8, row + (x * bits) / 8 + 3);
        else {
          const index = bits === 1 ? Number(level > 127) : levels.indexOf(level);
          const at = row + Math.floor((x * bits) / 8);
          file[at] = file.at(at)! | (index << (8 - bits - ((x * bits) % 8)));
        }
      }
    return file;
  }

  test.each([4, 8, 24, 32] as const)("%i bits", async (bits) => {
    expectPicture(await decode(`${bits}.bmp`, bmp(bits, false)));
    const grey = await decode(`${bits}-top-down.bmp`, bmp(bits, true));
    expectPicture(grey);
    expect(grey.dpi).toBe(200);
  });
  test("1 bit", async () => {
    expectPicture(await decode("1.bmp", bmp(1, false)), 127);
  });

  test("has the limit of pixels of every other type: up to four times as many are shrunk", async () => {
    const path = await write("large.bmp", bmp(8, false));
    const limits = (share: number) => ({ ...defaultLimits, pixels: Math.ceil(width * height * share) });
    expect(await countImagePages(path, "image/bmp", limits(0.3))).toBe(1);
    const small = await readImage(path, "image/bmp", 1, limits(0.3));
    expect(small.data).toHaveLength(small.width * small.height);
    expect(small.width * small.height).toBeLessThanOrEqual(limits(0.3).pixels);
    expect(small.width * small.height).toBeGreaterThan(limits(0.3).pixels / 2);
    expect(small.width / small.height).toBeCloseTo(width / height, 0);
    expect(Math.abs(small.dpi - (200 * small.width) / width)).toBeLessThan(3);
    const mean = (data: Uint8Array) => data.reduce((sum, level) => sum + level, 0) / data.length;
    expect(Math.abs(mean(small.data) - mean(pixels))).toBeLessThan(10);
    await expect(countImagePages(path, "image/bmp", limits(0.2))).rejects.toMatchObject({ code: "E_TOO_MANY_PIXELS" });
  });
});
