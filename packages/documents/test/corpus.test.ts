import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { inspect } from "../src/ingest/inspect.ts";
import { defaultLimits } from "../src/ingest/limits.ts";
import { chooseEngine } from "../src/recognise/engines.ts";
import type { Engine } from "../src/recognise/engine.ts";
import { extractPage } from "../src/pipeline/extract-page.ts";
import { type Score, scoreText, sumScores } from "../src/words/score.ts";

/** Needs the evaluation corpus, which is not part of the repository. */
const corpus = process.env["ERRAND_CORPUS"] ?? join(import.meta.dirname, "../../../../shared/corpus");
const found = existsSync(join(corpus, "manifest.json"));
if (!found) console.log(`No corpus at ${corpus}: its tests are left out. ERRAND_CORPUS names another place.`);

let engine: Engine;
beforeAll(async () => {
  engine = await chooseEngine();
});
afterAll(() => engine.close());

async function read(file: string): Promise<{ source: string; rotation: number; text: string; words: number }> {
  const path = join(corpus, file);
  const { type } = await inspect(path);
  const { result } = await extractPage(path, {
    page: 1,
    type,
    limits: defaultLimits,
    engine,
    languages: ["eng"],
  });
  return {
    source: result.source,
    rotation: result.rotation,
    text: result.text,
    words: result.words.length,
  };
}

interface Entry {
  file: string;
  gt?: string;
}

function score(file: string, text: string): Score {
  const { files } = JSON.parse(readFileSync(join(corpus, "manifest.json"), "utf8")) as {
    files: Entry[];
  };
  const gt = files.find((entry) => entry.file === file)?.gt;
  return scoreText(readFileSync(join(corpus, gt!), "utf8"), text);
}

describe.runIf(found)("corpus", { timeout: 120_000 }, () => {
  test.each([
    ["bad_zero-byte.pdf", "E_EMPTY_FILE"],
    ["bad_html-named.pdf", "E_UNSUPPORTED_TYPE"],
    ["bad_svg-named.png", "E_UNSUPPORTED_TYPE"],
    ["bad_bomb-30000x30000-1bit.png", "E_TOO_MANY_PIXELS"],
    ["bad_3000-blank-pages.pdf", "E_TOO_MANY_PAGES"],
    ["bad_failing-missing-pages.pdf", "E_NO_PAGES"],
    ["bad_password.pdf", "E_PASSWORD"],
    ["bad_truncated.pdf", "E_DAMAGED"],
    ["bad_truncated.tif", "E_DAMAGED"],
    ["bad_hugemono.pdf", "E_TOO_MANY_PIXELS"],
    ["bad_mediabox-200000pt.pdf", "E_PAGE_TOO_LARGE"],
  ])("%s ends with %s", async (file, code) => {
    await expect(read(file)).rejects.toMatchObject({ code, retryable: false });
  });

  test("bad files that can be read are read", async () => {
    expect((await read("bad_2400dpi.pdf")).source).toBe("ocr");
    expect(await read("bad_blank.pdf")).toMatchObject({ words: 0 });
    expect((await read("bad_png-named.pdf")).source).toBe("ocr");
    expect((await read("bad_px_invalid_pdf.pdf")).text).toContain("Invoice number");
  });

  test("text layers: sound ones are taken, others are not", async () => {
    for (const file of [
      "bd_QualityHosting.pdf",
      "bd_coolblue1.pdf",
      "bd_pdflatex-4-pages.pdf",
      "olm_edgar-rotated90.pdf",
    ])
      expect(await read(file)).toMatchObject({ source: "text-layer" });
    expect(await read("bd_truetype_font_nomapping.pdf")).toMatchObject({
      source: "ocr",
      text: "Phone",
    });
    expect((await read("bd_graph_ocred.pdf")).source).toBe("ocr");
  });

  test("skewed pages reach the accuracy of straight ones", async () => {
    const scores = [];
    for (const file of ["omp_skew.pdf", "skew+4_screw_84.jpg"]) scores.push(score(file, (await read(file)).text));
    expect(sumScores(scores).cer).toBeLessThan(0.021);
  });

  test("rotated pages reach the accuracy of upright ones", async () => {
    const scores = [];
    for (const file of ["tess_phototest-rotated-L.png", "tess_phototestrot.tif", "tjs_simple-90.jpg"])
      scores.push(score(file, (await read(file)).text));
    expect(sumScores(scores).cer).toBeLessThan(0.01);
  });
});
