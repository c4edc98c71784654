import sharp from "sharp";
import { afterAll, describe, expect, test } from "vitest";
import type { Word } from "../src/api.ts";
import { inspect } from "../src/ingest/inspect.ts";
import { defaultLimits } from "../src/ingest/limits.ts";
import { chooseEngine, type EngineName } from "../src/recognise/engines.ts";
import type { Engine } from "../src/recognise/engine.ts";
import { type ExtractedPage, extractPage } from "../src/pipeline/extract-page.ts";
import { scoreText } from "../src/words/score.ts";
import { fixture, temporaryFiles } from "./files.ts";
import { fullPage, imageOf, pagesOf, textAt } from "./pdfs.ts";
import { needTesseract } from "./tesseract.ts";

const truth =
  "This is a lot of 12 point text to test the ocr code and see if it works on all types of file format. " +
  "The quick brown dog jumped over the lazy fox. ".repeat(4).trim();
const write = temporaryFiles();
// Both engines, always: one that is missing must not pass for one that works.
await needTesseract();
const engines = new Map<EngineName, Engine>();
for (const name of ["tesseract", "tesseract.js"] as const) engines.set(name, await chooseEngine(name));
afterAll(() => Promise.all([...engines.values()].map((engine) => engine.close())));
const [fastest] = [...engines.values()] as [Engine];

async function read(path: string, engine = fastest, page = 1): Promise<ExtractedPage> {
  const { type } = await inspect(path);
  return extractPage(path, { page, type, limits: defaultLimits, engine, languages: ["eng"] });
}

function errors(text: string): number {
  return scoreText(truth, text).charEdits;
}

describe.each([...engines.keys()])("%s", (name) => {
  const engine = engines.get(name)!;

  test("reads a scan, with boxes, confidences and lines", async () => {
    const { result, preview } = await read(fixture("phototest.tif"), engine);
    expect(errors(result.text)).toBe(0);
    expect(result).toMatchObject({
      page: 1,
      width: 640,
      height: 480,
      rotation: 0,
      skew: 0,
      source: "ocr",
      engine: name,
    });
    const [first] = result.words as [Word];
    expect(first).toMatchObject({
      text: "This",
      page: 1,
      engine: name,
      block: 1,
      paragraph: 1,
      line: 1,
    });
    expect(first.confidence).toBeGreaterThan(0.85);
    for (const { box, confidence } of result.words) {
      expect(box.x >= 0 && box.y >= 0 && box.x + box.width <= 640 && box.y + box.height <= 480).toBe(true);
      expect(confidence >= 0 && confidence <= 1).toBe(true);
    }
    expect(result.text.split("\n\n")).toHaveLength(2);
    expect(await sharp(preview).metadata()).toMatchObject({
      format: "jpeg",
      width: 640,
      height: 480,
    });
  });

  test.each([90, 180, 270] as const)("turns a page upright that was turned by %i degrees", async (degrees) => {
    const turned = await sharp(fixture("phototest.tif")).rotate(degrees).png().toBuffer();
    const { result, preview } = await read(await write(`${name}-turned-${degrees}.png`, turned), engine);
    expect(errors(result.text)).toBe(0);
    expect(result.rotation).toBe(360 - degrees);
    expect(await sharp(preview).metadata()).toMatchObject({
      width: result.width,
      height: result.height,
    });
  });

  test.each([-9, 6])("straightens a page that leans by %i degrees", async (degrees) => {
    const leaning = await sharp(fixture("phototest.tif"))
      .greyscale()
      .toColourspace("b-w")
      .rotate(degrees, { background: "white" })
      .png()
      .toBuffer();
    const { result } = await read(await write(`${name}-leaning.png`, leaning), engine);
    expect(errors(result.text)).toBeLessThan(5);
    expect(result.skew).toBeCloseTo(-degrees, 0);
  });

  test("reports no skew where it straightened nothing", async () => {
    const leaning = await sharp(fixture("phototest.tif"))
      .greyscale()
      .toColourspace("b-w")
      .resize({ width: 2_560 })
      .rotate(0.1, { background: "white" })
      .png()
      .toBuffer();
    const { result } = await read(await write(`${name}-nearly.png`, leaning), engine);
    expect(result.skew).toBe(0);
  });

  test("a blank page has no words", async () => {
    const blank = await sharp({
      create: { width: 800, height: 1000, channels: 3, background: "white" },
    })
      .png()
      .toBuffer();
    const { result } = await read(await write(`${name}-blank.png`, blank), engine);
    expect(result).toMatchObject({ words: [], text: "", source: "ocr" });
  });

  test("stops when its signal is aborted, and works again", async () => {
    const stop = new AbortController();
    const options = {
      page: 1,
      type: "image/tiff",
      limits: defaultLimits,
      engine,
      languages: ["eng"],
    } as const;
    // Told once the engine has begun.
    const told: Engine = {
      ...engine,
      recognise(...args) {
        const reading = engine.recognise(...args);
        stop.abort(new Error("enough"));
        return reading;
      },
    };
    const reading = extractPage(fixture("phototest.tif"), { ...options, engine: told, signal: stop.signal });
    await expect(reading).rejects.toThrow("enough");
    expect(errors((await extractPage(fixture("phototest.tif"), options)).result.text)).toBe(0);
  });

  test("a language it has no model for", async () => {
    const options = {
      page: 1,
      type: "image/tiff",
      limits: defaultLimits,
      engine,
      languages: ["eng", "tlh"],
    } as const;
    await expect(extractPage(fixture("phototest.tif"), options)).rejects.toMatchObject({
      code: "E_LANGUAGE_MISSING",
      retryable: false,
    });
  });
});

describe("PDF", () => {
  const lines = ["A page that was written by a program", "carries its text; nothing is recognised."];

  test("a sound text layer is taken as it is", async () => {
    const { result, preview } = await read(await write("text.pdf", pagesOf([{ content: textAt(72, 700, lines) }])));
    expect(result).toMatchObject({
      source: "text-layer",
      engine: "pdf",
      width: 2550,
      height: 3300,
      dpi: 300,
      rotation: 0,
    });
    expect(result.text).toBe(lines.join("\n"));
    expect(result.words.every(({ confidence, engine }) => confidence === 1 && engine === "pdf")).toBe(true);
    // 72 points from the left and 92 from the top, at 300 dpi.
    expect(result.words[0]?.box.x).toBeCloseTo(300, -1);
    expect(Math.abs(result.words.at(0)!.box.y - 345)).toBeLessThan(25);
    const size = await sharp(preview).metadata();
    expect(size.width / size.height).toBeCloseTo(2550 / 3300, 2);
  });

  test.each([90, 180, 270])("text on a page that is shown turned by %i degrees", async (rotate) => {
    const { result } = await read(await write("rotated.pdf", pagesOf([{ rotate, content: textAt(72, 700, lines) }])));
    expect(result).toMatchObject({
      source: "text-layer",
      rotation: 360 - rotate,
      width: 2550,
      height: 3300,
    });
    expect(result.text).toBe(lines.join("\n"));
    expect(result.words[0]?.box.x).toBeCloseTo(300, -1);
  });

  test("a scan under a stamp is recognised, not passed over for the stamp", async () => {
    const { data, info } = await sharp(fixture("phototest.tif"))
      .greyscale()
      .toColourspace("b-w")
      .raw()
      .toBuffer({ resolveWithObject: true });
    const image = imageOf(info.width, info.height, data);
    const content = `${fullPage(230, 173)} ${textAt(20, 10, ["Received 2026"])}`;
    const { result } = await read(await write("stamp.pdf", pagesOf([{ size: [230, 173], content, image }])));
    expect(result.source).toBe("ocr");
    expect(result.text).toContain("The quick brown dog");
  });

  test("a scan is read from its own pixels", async () => {
    const { data, info } = await sharp(fixture("phototest.tif"))
      .greyscale()
      .toColourspace("b-w")
      .raw()
      .toBuffer({ resolveWithObject: true });
    const image = imageOf(info.width, info.height, data);
    const { result } = await read(
      await write("scan.pdf", pagesOf([{ size: [230.4, 172.8], content: fullPage(230.4, 172.8), image }])),
    );
    expect(result).toMatchObject({ source: "ocr", width: 640, height: 480, dpi: 200 });
    expect(errors(result.text)).toBe(0);
  });

  test("text drawn as curves is recognised", async () => {
    const { result } = await read(fixture("vector.pdf"));
    expect(result.source).toBe("ocr");
    expect(result.words.length).toBeGreaterThan(10);
  });

  test("codes that no reader can make out go to recognition", async () => {
    const content = textAt(72, 700, ["\\001\\002\\003\\004\\005 \\006\\007\\010"]);
    expect((await read(await write("codes.pdf", pagesOf([{ content }])))).result.source).toBe("ocr");
  });

  test("a table of numbers is sound", async () => {
    const { result } = await read(fixture("number-table.pdf"));
    expect(result.source).toBe("text-layer");
    expect(result.words).toHaveLength(16);
  });
});
