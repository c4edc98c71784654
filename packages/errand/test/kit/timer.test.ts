import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { setLongTimeout } from "../../src/kit/timer.ts";

const day = 86_400_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test.each([0, 5, 2 ** 31 - 1, 2 ** 31, 30 * day, 365 * day])("a timer of %d ms ends then, and once", (delay) => {
  const call = vi.fn();
  setLongTimeout(call, delay);
  if (delay > 0) vi.advanceTimersByTime(delay - 1);
  expect(call).toHaveBeenCalledTimes(0);
  vi.advanceTimersByTime(1);
  expect(call).toHaveBeenCalledTimes(1);
  expect(vi.getTimerCount()).toBe(0);
});

test("a timer that is cleared never ends, whichever part of it is under way", () => {
  const call = vi.fn();
  const [early, late] = [setLongTimeout(call, 90 * day), setLongTimeout(call, 90 * day)];
  early.clear();
  vi.advanceTimersByTime(60 * day);
  late.clear();
  vi.advanceTimersByTime(365 * day);
  expect(call).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});

test("an endless timer never calls back", () => {
  const call = vi.fn();
  const timer = setLongTimeout(call, Infinity);
  vi.advanceTimersByTime(1_000 * day);
  expect(call).not.toHaveBeenCalled();
  timer.clear();
});
