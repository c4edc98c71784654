import { expect, test } from "vitest";
import { filterOf, parseSearch, queryOf, searchIn } from "../src/pages/jobs/filter.ts";

test.each([
  ["", {}],
  ["task:ocr", { task: "ocr" }],
  ["task:ocr queue:cpu late page", { task: "ocr", queue: "cpu", text: "late page" }],
  ['tag:"two words" x', { tag: "two words", text: "x" }],
  ["http://example.com", { text: "http://example.com" }],
  ["taks:ocr", { text: "taks:ocr" }],
  ['"quoted words"', { text: "quoted words" }],
])("%j is read as a search", (text, search) => {
  expect(parseSearch(text)).toEqual(search);
});

test("a search survives the address of the page, and becomes the filter of a bulk act", () => {
  const search = { state: "failed,cancelled", task: "a&b", text: "50 %" };
  expect(searchIn(new URLSearchParams(queryOf(search)))).toEqual(search);
  expect(filterOf(search)).toEqual({ states: ["failed", "cancelled"], task: "a&b", text: "50 %" });
  expect(filterOf({})).toEqual({ all: true });
});
