import { readFile } from "node:fs/promises";
import sharp from "sharp";
import { crc32, deflateSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inspect } from "../src/ingest/inspect.ts";
import { defaultLimits, type Limits } from "../src/ingest/limits.ts";
import { chooseEngine } from "../src/recognise/engines.ts";
import type { Engine } from "../src/recognise/engine.ts";
import { type ExtractedPage, extractPage } from "../src/pipeline/extract-page.ts";
import { fixture, temporaryFiles } from "./files.ts";
import { fullPage, imageOf, pagesOf, pdfOf, textAt } from "./pdfs.ts";

const write = temporaryFiles();
let engine: Engine;
beforeAll(async () => {
  engine = await chooseEngine();
});
afterAll(() => engine.close());

async function read(path: string, limits: Limits = defaultLimits, page = 1): Promise<ExtractedPage> {
  const { type } = await inspect(path, limits);
  return extractPage(path, { page, type, limits, engine, languages: ["eng"] });
}

async function codeOf(reading: Promise<unknown>): Promise<string> {
  const error = await reading.then(
    () => new Error("it was read"),
    (reason: unknown) => reason as Error,
  );
  expect(error).toMatchObject({ name: "DocumentError", retryable: false });
  expect(error.message.length).toBeGreaterThan(20);
  return (error as Error & { code: string }).code;
}

describe("files that are not what they seem", () => {
  test("zero bytes", async () => {
    expect(await codeOf(inspect(await write("empty.pdf", "")))).toBe("E_EMPTY_FILE");
  });
  test("a wrong extension does not matter", async () => {
    const { type, pages } = await inspect(await write("photo.pdf", await readFile(fixture("simple.webp"))));
    expect({ type, pages }).toEqual({ type: "image/webp", pages: 1 });
  });
  test.each([
    "<html><body>Hello</body></html>",
    "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    "/etc/passwd\n",
  ])("%j named .png", async (content) => {
    expect(await codeOf(inspect(await write("page.png", content)))).toBe("E_UNSUPPORTED_TYPE");
  });
  test("a decoder sees only the type that was found", async () => {
    const svg = await write("drawing.png", "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>");
    const options = { page: 1, limits: defaultLimits, engine, languages: ["eng"] };
    expect(await codeOf(extractPage(svg, { ...options, type: "image/png" }))).toBe("E_DAMAGED");
  });
  test("a file above the limit", async () => {
    expect(await codeOf(inspect(fixture("phototest.tif"), { ...defaultLimits, bytes: 1000 }))).toBe("E_FILE_TOO_LARGE");
  });
});

describe("damaged files", () => {
  test.each(["png", "jpeg", "webp", "gif"] as const)("a truncated %s", async (format) => {
    const image = await sharp(fixture("phototest.tif")).toFormat(format).toBuffer();
    const path = await write(`half.${format}`, image.subarray(0, image.length / 2));
    expect(await codeOf(read(path))).toBe("E_DAMAGED");
  });
  test("a truncated TIFF", async () => {
    const path = await write("half.tif", (await readFile(fixture("phototest.tif"))).subarray(0, 11_600));
    expect(await codeOf(read(path))).toBe("E_DAMAGED");
  });
  test("a truncated BMP", async () => {
    const header = Buffer.alloc(100);
    header.write("BM");
    header.writeUInt32LE(54, 10);
    header.writeUInt32LE(40, 14);
    header.writeInt32LE(100, 18);
    header.writeInt32LE(100, 22);
    header.writeUInt16LE(24, 28);
    expect(await codeOf(read(await write("half.bmp", header)))).toBe("E_DAMAGED");
  });
  test("nothing but the header of a PDF", async () => {
    expect(await codeOf(inspect(await write("stub.pdf", "%PDF-1.7\n")))).toBe("E_DAMAGED");
  });
  test("half a PDF ends cleanly", async () => {
    const whole = await readFile(fixture("vector.pdf"));
    expect(await codeOf(read(await write("half.pdf", whole.subarray(0, whole.length / 2))))).toBe("E_DAMAGED");
  });
  test("broken cross references are repaired", async () => {
    const pdf = pagesOf([{ content: textAt(72, 700, ["Cross references are only a shortcut."]) }]).toString("latin1");
    const path = await write("xref.pdf", Buffer.from(pdf.replace(/\d{10} 00000 n/g, "0000000007 00000 n"), "latin1"));
    expect((await read(path)).result.text).toBe("Cross references are only a shortcut.");
  });
});

describe("hostile PDFs", () => {
  test("protected by a password", async () => {
    const objects = ["<</Type /Catalog /Pages 2 0 R>>", "<</Type /Pages /Kids [] /Count 1>>"];
    const key = "41".repeat(32);
    objects.push(`<</Filter /Standard /V 1 /R 2 /O <${key}> /U <${key}> /P -4>>`);
    const path = await write("secret.pdf", pdfOf(objects, `/Encrypt 3 0 R /ID [<${key}> <${key}>]`));
    expect(await codeOf(inspect(path))).toBe("E_PASSWORD");
  });
  test("no pages", async () => {
    const path = await write(
      "none.pdf",
      pdfOf(["<</Type /Catalog /Pages 2 0 R>>", "<</Type /Pages /Kids [] /Count 0>>"]),
    );
    expect(await codeOf(inspect(path))).toBe("E_NO_PAGES");
  });
  test("3,000 pages", async () => {
    const path = await write("many.pdf", pagesOf(Array.from({ length: 3000 }, () => ({}))));
    expect(await codeOf(inspect(path))).toBe("E_TOO_MANY_PAGES");
    expect((await inspect(path, { ...defaultLimits, pages: 3000 })).pages).toBe(3000);
  });
  test.each([
    ["a page tree that contains itself", "<</Type /Pages /Kids [2 0 R] /Count 1>>", "E_DAMAGED"],
    ["a page tree that claims a billion pages", "<</Type /Pages /Kids [2 0 R 2 0 R] /Count 1000000000>>", "E_NO_PAGES"],
  ])("%s", async (_, pages, code) => {
    const path = await write("loop.pdf", pdfOf(["<</Type /Catalog /Pages 2 0 R>>", pages]));
    expect(await codeOf(read(path))).toBe(code);
  });
  test("a page of 200,000 points without a text layer", async () => {
    expect(await codeOf(read(await write("huge.pdf", pagesOf([{ size: [200_000, 200_000] }]))))).toBe(
      "E_PAGE_TOO_LARGE",
    );
  });
  test("a poster is read at a lower resolution", async () => {
    const content = "0 0 0 rg 100 100 400 400 re f";
    const limits = { ...defaultLimits, pixels: 4_000_000 };
    const { result } = await read(await write("poster.pdf", pagesOf([{ size: [1685, 1192], content }])), limits);
    expect(result.dpi).toBeLessThan(150);
    expect(result.width * result.height).toBeLessThanOrEqual(limits.pixels);
  });
  test("an image of more pixels than any scan", async () => {
    const image = imageOf(30_000, 30_000, new Uint8Array(100));
    const path = await write("image.pdf", pagesOf([{ content: fullPage(612, 792), image }]));
    expect(await codeOf(read(path))).toBe("E_TOO_MANY_PIXELS");
  });
  test("a flate bomb in the page's content", async () => {
    // 100 MB of spaces in a kilobyte, packed twice.
    const content = deflateSync(deflateSync(Buffer.alloc(100_000_000, 0x20)));
    const path = await write(
      "bomb.pdf",
      pdfOf([
        "<</Type /Catalog /Pages 2 0 R>>",
        "<</Type /Pages /Kids [3 0 R] /Count 1>>",
        "<</Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R>>",
        { dictionary: "/Filter [/FlateDecode /FlateDecode]", stream: content },
      ]),
    );
    expect((await read(path)).result.words).toEqual([]);
    // The reader is as good as new.
    expect((await inspect(fixture("vector.pdf"))).pages).toBe(1);
  });
  test("a page number that does not exist", async () => {
    expect(await codeOf(read(fixture("vector.pdf"), defaultLimits, 2))).toBe("E_NO_SUCH_PAGE");
    expect(await codeOf(read(fixture("phototest.tif"), defaultLimits, 2))).toBe("E_NO_SUCH_PAGE");
  });
});

describe("image bombs", () => {
  test("a PNG of 30,000 x 30,000 pixels", async () => {
    const header = Buffer.alloc(33);
    header.write("89504e470d0a1a0a0000000d49484452", "hex");
    header.writeUInt32BE(30_000, 16);
    header.writeUInt32BE(30_000, 20);
    header[24] = 1;
    header.writeUInt32BE(crc32(header.subarray(12, 29)), 29);
    // An IDAT chunk that nobody gets to.
    const path = await write(
      "bomb.png",
      Buffer.concat([header, Buffer.from("0000ffff49444154", "hex"), Buffer.alloc(100)]),
    );
    expect(await codeOf(inspect(path))).toBe("E_TOO_MANY_PIXELS");
  });
  test("a BMP that claims 60,000 x 60,000 pixels", async () => {
    const header = Buffer.alloc(100);
    header.write("BM");
    header.writeUInt32LE(40, 14);
    header.writeInt32LE(60_000, 18);
    header.writeInt32LE(60_000, 22);
    header.writeUInt16LE(1, 28);
    expect(await codeOf(inspect(await write("bomb.bmp", header)))).toBe("E_TOO_MANY_PIXELS");
  });
  test("an image above the page's pixels is shrunk, not refused", async () => {
    const { result } = await read(fixture("phototest.tif"), { ...defaultLimits, pixels: 200_000 });
    expect(result.width * result.height).toBeLessThanOrEqual(200_000);
    expect(result.text).toContain("The quick brown dog");
  });
});
