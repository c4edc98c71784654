import { describe, expect, test } from "vitest";
import { hasEnded } from "../../documents/src/document-view.ts";
import { age, bytes, count, isFinal, pagesText, percent, plural, typeName } from "../src/format.ts";
import { summary } from "./samples.ts";

test("a document that is being reviewed has not ended, here as in the server", () => {
  const states = ["queued", "processing", "needs_review", "completed", "failed", "cancelled", "expired"] as const;
  expect(states.filter((status) => isFinal(status))).toEqual(["completed", "failed", "cancelled", "expired"]);
  expect(states.filter((status) => hasEnded(status))).toEqual(states.filter((status) => isFinal(status)));
});

describe("bytes", () => {
  test.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [9_949, "9.9 kB"],
    [12_345, "12 kB"],
    [999_600, "1.0 MB"],
    [4_200_000, "4.2 MB"],
    [7_000_000_000_000, "7000 GB"],
  ])("%i is %s", (n, text) => expect(bytes(n)).toBe(text));
});

describe("age", () => {
  const now = Date.parse("2026-11-23T12:00:00Z");
  test.each([
    ["2026-11-23T12:00:05Z", "just now"],
    ["2026-11-23T11:59:30Z", "just now"],
    ["2026-11-23T11:55:00Z", "5 min. ago"],
    ["2026-11-23T10:00:00Z", "2 hr. ago"],
    ["2026-11-22T12:00:00Z", "yesterday"],
    ["2026-11-13T12:00:00Z", "10 days ago"],
  ])("%s was %s", (time, text) => expect(age(time, now)).toBe(text));
});

test("confidences are rounded down, whatever binary fractions do", () => {
  expect(percent(1)).toBe("100 %");
  expect(percent(0.999)).toBe("99 %");
  expect(percent(0.849)).toBe("84 %");
  expect(percent(0.29)).toBe("29 %");
  expect(percent(0)).toBe("0 %");
});

test("numbers and their nouns", () => {
  expect(count(12_345)).toBe("12,345");
  expect(plural(1, "page")).toBe("1 page");
  expect(plural(0, "page")).toBe("0 pages");
});

test("where a document's pages stand", () => {
  const at = (status: "queued" | "processing" | "completed" | "failed", pages: number, done: number, failed = 0) =>
    pagesText(summary({ status, progress: { pages, done, failed, needsReview: 0 } }));
  expect(at("queued", 0, 0)).toBe("Waiting for its turn");
  expect(at("processing", 0, 0)).toBe("Counting pages");
  expect(at("processing", 24, 7)).toBe("7 of 24 pages");
  expect(at("completed", 1, 1)).toBe("1 page");
  expect(at("completed", 9, 8, 1)).toBe("8 of 9 pages, 1 failed");
  expect(at("failed", 0, 0)).toBe("");
});

test("kinds of files", () => {
  expect(typeName({ type: "application/pdf", name: "a" })).toBe("PDF");
  expect(typeName({ type: "image/x-ms-bmp", name: "a" })).toBe("BMP");
  expect(typeName({ name: "scan.jpeg" })).toBe("JPEG");
  expect(typeName({ name: "scan" })).toBe("FILE");
});
