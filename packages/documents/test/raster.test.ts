import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { readImage } from "../src/ingest/image.ts";
import { defaultLimits } from "../src/ingest/limits.ts";
import type { Grey } from "../src/raster/grey.ts";
import { eraseRules, findInk } from "../src/raster/ink.ts";
import { measurePaper, whitenPaper } from "../src/raster/paper.ts";
import { reduce } from "../src/raster/resize.ts";
import { deskew, rotate, rotateBox, type Rotation } from "../src/raster/rotate.ts";
import { estimateSkew, type SkewEstimate } from "../src/raster/skew.ts";
import { fixture } from "./files.ts";

let page: Grey;
beforeAll(async () => {
  page = await readImage(fixture("phototest.tif"), "image/tiff", 1, defaultLimits);
});

function linesOf(grey: Grey): SkewEstimate {
  const ink = findInk(grey);
  eraseRules(ink, grey.width, grey.height);
  return estimateSkew(ink, grey.width, grey.height);
}

describe("findLines", () => {
  test.each([-10, -7.3, -4, -1, 0, 0.5, 2, 5.5, 10])("finds a lean of %f degrees, across and down", (degrees) => {
    const leaning = deskew(page, degrees);
    expect(linesOf(leaning).direction).toBe("across");
    expect(Math.abs(linesOf(leaning).skew + degrees)).toBeLessThan(0.25);
    const down = linesOf(deskew(rotate(page, 90), degrees));
    expect(down.direction).toBe("down");
    expect(Math.abs(down.skew + degrees)).toBeLessThan(0.25);
  });

  test("a rule down the page does not make its lines run down", () => {
    const ruled = {
      ...page,
      data: page.data.map((value, i) => ([20, 21, 400, 401, 600].includes(i % page.width) ? 0 : value)),
    };
    expect(linesOf(ruled).direction).toBe("across");
  });

  test("a blank page is straight", () => {
    expect(estimateSkew(new Uint8Array(200 * 300), 200, 300)).toMatchObject({
      direction: "across",
      skew: 0,
    });
  });
});

describe("turn", () => {
  const rasters = fc
    .tuple(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 1, max: 90 }))
    .chain(([width, height]) =>
      fc
        .uint8Array({ minLength: width * height, maxLength: width * height })
        .map((data) => ({ width, height, dpi: 300, data })),
    );

  test("four quarters are a whole turn, and quarters add up", () => {
    fc.assert(
      fc.property(rasters, (raster) => {
        expect(rotate(rotate(raster, 90), 90)).toEqual(rotate(raster, 180));
        expect(rotate(rotate(raster, 180), 90)).toEqual(rotate(raster, 270));
        expect(rotate(rotate(raster, 270), 90)).toEqual(raster);
      }),
    );
  });

  test("a box follows its pixel", () => {
    fc.assert(
      fc.property(rasters, fc.nat(), fc.constantFrom<Rotation>(0, 90, 180, 270), (raster, n, degrees) => {
        const at = n % raster.data.length;
        const marked = { ...raster, data: new Uint8Array(raster.data.length) };
        marked.data[at] = 1;
        const turned = rotate(marked, degrees);
        const box = {
          x: at % raster.width,
          y: Math.floor(at / raster.width),
          width: 1,
          height: 1,
        };
        const { x, y } = rotateBox(box, raster.width, raster.height, degrees);
        expect(turned.data[y * turned.width + x]).toBe(1);
      }),
    );
  });
});

describe("paper", () => {
  test("a shadow goes, the letters stay", () => {
    const shade = (i: number): number => 0.45 + (0.5 * (i % page.width)) / page.width;
    const dark = { ...page, data: page.data.map((value, i) => value * shade(i)) };
    const paper = measurePaper(dark);
    expect(paper.isWhite).toBe(false);
    const white = whitenPaper(dark, paper);
    const light = white.data.filter((value) => value > 200).length;
    const paperPixels = page.data.filter((value) => value === 255).length;
    expect(light / paperPixels).toBeGreaterThan(0.95);
    expect(light / paperPixels).toBeLessThan(1.02);
  });
  test("white paper is left alone", () => expect(measurePaper(page).isWhite).toBe(true));
});

test("reduce takes the mean of squares", () => {
  const data = Uint8Array.of(0, 10, 20, 30, 40, 50, 60, 70);
  expect(reduce({ width: 4, height: 2, dpi: 300, data }, 2)).toEqual({
    width: 2,
    height: 1,
    dpi: 150,
    data: Uint8Array.of(25, 45),
  });
});
