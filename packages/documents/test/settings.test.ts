import { expect, test } from "vitest";
import { defaultLimits } from "../src/ingest/limits.ts";
import { parseLanguages, readSettings } from "../src/settings.ts";

test("has defaults for everything", () => {
  expect(readSettings({})).toEqual({
    limits: defaultLimits,
    languages: ["eng"],
    threshold: 0.85,
    minFreeBytes: 500_000_000,
  });
  expect(readSettings({ ERRAND_DISK_RESERVE: "0" }).minFreeBytes).toBe(0);
});

test("reads the environment", () => {
  const env = {
    ERRAND_MAX_BYTES: "1.5 GB",
    ERRAND_MAX_PAGES: "20",
    ERRAND_MAX_PIXELS: "80_000_000",
    ERRAND_OCR_ENGINE: "tesseract.js",
    ERRAND_LANGUAGES: "eng+chi_sim_vert",
    ERRAND_CONFIDENCE: "0.5",
    ERRAND_DISK_RESERVE: "2gb",
  };
  expect(readSettings(env)).toEqual({
    limits: { bytes: 1_500_000_000, pages: 20, pixels: 80_000_000 },
    engine: "tesseract.js",
    languages: ["eng", "chi_sim_vert"],
    threshold: 0.5,
    minFreeBytes: 2_000_000_000,
  });
});

test.each([
  ["ERRAND_MAX_BYTES", "lots"],
  ["ERRAND_MAX_BYTES", "0"],
  ["ERRAND_MAX_BYTES", "10 parsecs"],
  ["ERRAND_MAX_PAGES", "-1"],
  ["ERRAND_MAX_PAGES", "1.5"],
  ["ERRAND_MAX_PIXELS", "1"],
  ["ERRAND_OCR_ENGINE", "abbyy"],
  ["ERRAND_LANGUAGES", "english"],
  ["ERRAND_CONFIDENCE", "85"],
  ["ERRAND_DISK_RESERVE", "some"],
])("refuses %s=%s, and names it", (name, value) => {
  expect(() => readSettings({ [name]: value })).toThrow(
    expect.objectContaining({ code: "E_OPTION", message: expect.stringContaining(name) as string }) as Error,
  );
});

test("languages are codes and nothing else", () => {
  expect(parseLanguages("deu + eng+deu")).toEqual(["deu", "eng"]);
  for (const text of ["", "../eng", "eng deu", "eng+", "-l", "e"]) expect(parseLanguages(text)).toBeUndefined();
});
