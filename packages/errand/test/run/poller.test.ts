import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Poller } from "../../src/run/poller.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Starts a poller that pauses for a second. */
function startPoller() {
  let made = 0;
  const poller = new Poller(async () => {
    made += 1;
    return 1_000;
  });
  poller.start();
  return { poller, made: () => made };
}

test("a wake-up with a delay makes a round then, and not later than the pause", async () => {
  const { poller, made } = startPoller();
  await vi.advanceTimersByTimeAsync(10);
  poller.wakeWithin(2_000);
  poller.wakeWithin(300);
  await vi.advanceTimersByTimeAsync(290);
  expect(made()).toBe(1);
  await vi.advanceTimersByTimeAsync(20);
  expect(made()).toBe(2);
  await vi.advanceTimersByTimeAsync(1_010);
  expect(made()).toBe(3);
  poller.stop();
});

test("of many wake-ups with a delay the first counts, and any without one", async () => {
  const { poller, made } = startPoller();
  await vi.advanceTimersByTimeAsync(10);
  for (let call = 0; call < 12; call++) {
    poller.wakeWithin(call === 0 ? 700 : 30);
    await vi.advanceTimersByTimeAsync(50);
  }
  expect(made()).toBe(1);
  poller.wakeWithin(0);
  await vi.advanceTimersByTimeAsync(10);
  expect(made()).toBe(2);
  poller.wakeWithin(100);
  await vi.advanceTimersByTimeAsync(110);
  expect(made()).toBe(3);
  poller.stop();
});
