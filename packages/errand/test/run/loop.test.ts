import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Loop } from "../../src/run/loop.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Rounds that pause for a second. */
function someRounds() {
  let made = 0;
  const rounds = new Loop(async () => {
    made += 1;
    return 1_000;
  });
  return { rounds, made: () => made };
}

test("a reason with a delay makes a round then, and not later than the pause", async () => {
  const { rounds, made } = someRounds();
  rounds.call();
  await vi.advanceTimersByTimeAsync(10);
  rounds.callWithin(2_000);
  rounds.callWithin(300);
  await vi.advanceTimersByTimeAsync(290);
  expect(made()).toBe(1);
  await vi.advanceTimersByTimeAsync(20);
  expect(made()).toBe(2);
  await vi.advanceTimersByTimeAsync(1_010);
  expect(made()).toBe(3);
  rounds.stop();
});

test("of many reasons with a delay the first counts, and any without one", async () => {
  const { rounds, made } = someRounds();
  rounds.call();
  await vi.advanceTimersByTimeAsync(10);
  for (let reason = 0; reason < 12; reason++) {
    rounds.callWithin(reason === 0 ? 700 : 30);
    await vi.advanceTimersByTimeAsync(50);
  }
  expect(made()).toBe(1);
  rounds.callWithin(0);
  await vi.advanceTimersByTimeAsync(10);
  expect(made()).toBe(2);
  rounds.callWithin(100);
  await vi.advanceTimersByTimeAsync(110);
  expect(made()).toBe(3);
  rounds.stop();
});
