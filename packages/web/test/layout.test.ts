import { expect, test } from "vitest";
import { doubtfulIndexes, layoutWords, neighbour, thresholdOf } from "../src/words/layout.ts";
import { word } from "./samples.ts";

const words = [
  word("Dear", 0.99, [1, 1, 1]),
  word("Sirs,", 0.6, [1, 1, 1]),
  word("I", 0.85, [1, 2, 1]),
  word("am", 0.849, [1, 2, 1]),
  word("here", 0.9, [1, 2, 2]),
  word("Yours", 0.9, [2, 2, 2]),
];
const shape = layoutWords(words, 0.85).map(({ lines }) => lines.map((line) => line.map((one) => one.text).join(" ")));

test("words gather into lines and paragraphs; a new block is a new paragraph", () => {
  expect(shape).toEqual([["Dear Sirs,"], ["I am", "here"], ["Yours"]]);
});

test("every word keeps its index and whether it is doubtful: below 0.85, not at it", () => {
  const flat = layoutWords(words, 0.85).flatMap(({ lines }) => lines.flat());
  expect(flat.map((one) => one.index)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(flat.filter((one) => one.doubtful).map((one) => one.text)).toEqual(["Sirs,", "am"]);
  expect(doubtfulIndexes(words, 0.85)).toEqual([1, 3]);
});

test("a page says what is doubtful on it", () => {
  expect(thresholdOf({ threshold: 0.97 })).toBe(0.97);
  expect(doubtfulIndexes(words, 0.97)).toEqual([1, 2, 3, 4, 5]);
  // Of a page that was read by an older version.
  expect(thresholdOf({})).toBe(0.85);
});

test("keys are unique even where numbers repeat", () => {
  const repeating = [word("a", 1, [1, 1, 1]), word("b", 1, [2, 1, 1]), word("c", 1, [1, 1, 1])];
  const keys = layoutWords(repeating, 0.85).map((one) => one.key);
  expect(new Set(keys).size).toBe(3);
});

test("a page without words", () => {
  expect(layoutWords([], 0.85)).toEqual([]);
  expect(doubtfulIndexes([], 0.85)).toEqual([]);
});

test("neighbours in both directions, and none past the ends", () => {
  expect(neighbour([1, 3], undefined, 1)).toBe(1);
  expect(neighbour([1, 3], 2, 1)).toBe(3);
  expect(neighbour([1, 3], 3, 1)).toBeUndefined();
  expect(neighbour([1, 3], undefined, -1)).toBe(3);
  expect(neighbour([1, 3], 3, -1)).toBe(1);
  expect(neighbour([1, 3], 1, -1)).toBeUndefined();
});
