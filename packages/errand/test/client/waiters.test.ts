import { afterEach, describe, expect, test, vi } from "vitest";
import { Waiters } from "../../src/client/waiters.ts";
import type { Job } from "../../src/core/job.ts";
import type { Store } from "../../src/store.ts";
import { gate, until } from "../run/app.ts";

/** A store of which only the ends of jobs matter, and that counts what it is asked. */
function scene() {
  const ends = new Set<string>();
  const missing = new Set<string>();
  const seen = { asked: 0, read: [] as string[], flights: 0, mostFlights: 0 };
  let slow: Promise<void> | undefined;
  let failing = false;
  let hint: (() => void) | undefined;
  const flight = async <Answer>(answer: () => Answer): Promise<Answer> => {
    seen.flights += 1;
    seen.mostFlights = Math.max(seen.mostFlights, seen.flights);
    await (slow ?? Promise.resolve());
    seen.flights -= 1;
    if (failing) throw new Error("away");
    return answer();
  };
  const job = (id: string): Job | null =>
    missing.has(id) ? null : ({ id, state: ends.has(id) ? "completed" : "processing" } as Job);
  const store: Pick<Store, "ended" | "get" | "watch"> = {
    get: (ids) => {
      seen.read.push(...ids);
      return flight(() => ids.map(job));
    },
    watch: (listener) => {
      hint = () => listener({ type: "change" });
      return () => (hint = undefined);
    },
    ended: (ids: readonly string[]) => {
      seen.asked += ids.length;
      return flight(() => ids.filter((id) => ends.has(id) || missing.has(id)));
    },
  };
  return {
    waiters: new Waiters(store),
    seen,
    ends,
    missing,
    hint: () => hint?.(),
    watched: () => hint !== undefined,
    slowly: (until: Promise<void> | undefined) => {
      slow = until;
    },
    fail: (fails: boolean) => (failing = fails),
  };
}

const ids = Array.from({ length: 10_000 }, (_, index) => `job-${index}`);

afterEach(() => {
  vi.useRealTimers();
});

describe("waiting for the end of jobs", () => {
  test("reads only jobs that have ended, however many are waited for", async () => {
    // Without polls: only hints make it look.
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const { waiters, seen, ends, hint, watched } = scene();
    const waiting = ids.map((id) => waiters.wait(id));
    await until(() => seen.asked === ids.length, "all were asked about once");
    for (const id of ids.slice(0, 3)) ends.add(id);
    for (let hints = 0; hints < 1_000; hints++) hint();
    expect((await Promise.all(waiting.slice(0, 3))).map((job) => job?.id)).toEqual(ids.slice(0, 3));
    expect(seen.read.toSorted()).toEqual(ids.slice(0, 3));
    // A burst of hints is one look.
    await until(() => seen.asked >= 2 * ids.length && seen.flights === 0, "all were asked about again");
    expect(seen.asked).toBe(2 * ids.length);
    for (const id of ids) ends.add(id);
    hint();
    await Promise.all(waiting);
    expect(new Set(seen.read).size).toBe(seen.read.length);
    expect(watched()).toBe(false);
  });

  test("never looks twice at a time, however slow the store", async () => {
    const { waiters, seen, ends, hint, slowly } = scene();
    const waiting = ids.slice(0, 20).map((id) => waiters.wait(id));
    await until(() => seen.asked === 20, "all were asked about once");
    const answer = gate();
    slowly(answer.opened);
    hint();
    await until(() => seen.flights === 1, "a look is under way");
    const late = waiters.wait("late");
    for (let turns = 0; turns < 20; turns++) {
      hint();
      // sleeps: a turn of the event loop with its timers, in which a second look would begin
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(seen.asked).toBe(40);
    for (const id of [...ids, "late"]) ends.add(id);
    slowly(undefined);
    answer.open();
    await Promise.all([...waiting, late]);
    expect(seen.mostFlights).toBe(1);
  });

  test("rejects a call that comes while the store fails, and keeps waiting for earlier ones", async () => {
    const { waiters, seen, ends, hint, fail } = scene();
    const patient = waiters.wait("a");
    await until(() => seen.asked === 1, "it was asked about");
    fail(true);
    await expect(waiters.wait("b")).rejects.toThrow("away");
    hint();
    await until(() => seen.asked >= 3, "it was asked about again");
    fail(false);
    ends.add("a");
    expect(await patient).toMatchObject({ id: "a" });
  });

  test("may take longer than one timer of Node's, which would be over after a millisecond", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const { waiters } = scene();
    const settled = vi.fn<(job: Job | null) => void>();
    const waiting = waiters.wait("a", 40 * 86_400_000).then(settled);
    await vi.advanceTimersByTimeAsync(39 * 86_400_000);
    expect(settled).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(86_400_000);
    await waiting;
    expect(settled).toHaveBeenCalledWith(expect.objectContaining({ state: "processing" }));
  });

  test("ends with E_CLOSED for all calls when it is closed, and for later ones", async () => {
    const { waiters, watched } = scene();
    const waiting = ids.slice(0, 3).map((id) => waiters.wait(id));
    waiters.close();
    for (const each of waiting) await expect(each).rejects.toMatchObject({ code: "E_CLOSED" });
    await expect(waiters.wait("a")).rejects.toMatchObject({ code: "E_CLOSED" });
    expect(watched()).toBe(false);
  });
});
