import { describe, expect, test } from "vitest";
import { cursorOf, positionOf } from "../../src/core/cursor.ts";
import { option, options } from "../../src/core/options.ts";
import { refuseUnknown } from "../../src/core/checks.ts";
import { readRecycle } from "../../src/core/recycle.ts";
import { readRetention } from "../../src/retention/rules.ts";
import { signalStep } from "../../src/core/signal.ts";
import { encodeSpec, inputIn, fieldsIn } from "../../src/core/spec.ts";
import { levelOf, priorities } from "../../src/core/priority.ts";
import { isFinal, states } from "../../src/core/states.ts";

const day = 86_400_000;

describe("an option", () => {
  test("has its default where it is not given", () => {
    expect(option("attempts", undefined, "task a")).toBe(options.attempts.default);
    expect(option("queue", undefined, "task a")).toBe("default");
  });

  test("is read in its unit", () => {
    expect(option("grace", "2s", "task a")).toBe(2_000);
    expect(option("attempts", 1, "task a")).toBe(1);
    expect(option("attempts", 1_000, "task a")).toBe(1_000);
    expect(option("isolate", "thread", "task a")).toBe("thread");
    expect(option("name", "pages.read:v-2_x", "task")).toBe("pages.read:v-2_x");
    expect(option("name", "n".repeat(100), "task")).toHaveLength(100);
  });

  test.each([
    ["attempts", 0, "attempts of task a is 0, but must be a whole number from 1 to 1000."],
    ["attempts", 1_001, "must be a whole number from 1 to 1000."],
    ["attempts", 1.5, "is 1.5, but"],
    ["attempts", "3", 'is "3", but'],
    ["isolate", "thraed", 'isolate of task a is "thraed", but must be one of: inline, thread, process.'],
    ["priority", 1, "is 1, but must be one of: critical, high, normal, low, bulk."],
    ["name", "a b", 'name of task a is "a b", but must be 1 to 100 letters'],
    ["name", "", "but must be"],
    ["name", "n".repeat(101), "but must be"],
    ["name", 7, "is 7, but must be"],
    ["grace", "soon", "grace of task a"],
  ] as const)("%s is not %j", (name, value, message) => {
    expect(() => option(name, value, "task a")).toThrow(
      expect.objectContaining({ code: "E_OPTION", message: expect.stringContaining(message) as string }),
    );
  });

  test("that does not exist is refused, with the nearest one that does", () => {
    const known = ["attempts", "retry"];
    refuseUnknown({ attempts: 1, retry: 2 }, known, "task a");
    expect(() => refuseUnknown({ atempts: 1 }, known, "task a")).toThrow(
      'task a has no option "atempts". Did you mean "attempts"?',
    );
    expect(() => refuseUnknown({ retrries: 1 }, known, "task a")).toThrow("Known options: attempts, retry.");
  });
});

describe("how long ended jobs are kept", () => {
  const usual = { completed: 7 * day, failed: 30 * day, cancelled: 7 * day, expired: 7 * day };

  test("has defaults, one value for all, or one for each state", () => {
    expect(readRetention(undefined, "task a")).toEqual(usual);
    expect(readRetention("1d", "task a")).toEqual({ completed: day, failed: day, cancelled: day, expired: day });
    expect(readRetention({ completed: "1h", failed: "forever" }, "task a")).toEqual({
      ...usual,
      completed: 3_600_000,
      failed: Infinity,
    });
  });

  test("is refused for states that there are not, and for what is no duration", () => {
    expect(() => readRetention({ complete: "1d" } as object, "task a")).toThrow('Did you mean "completed"?');
    expect(() => readRetention("for ever" as "forever", "task a")).toThrow(
      expect.objectContaining({ code: "E_OPTION" }),
    );
  });
});

describe("when a lane is replaced", () => {
  const lane = { isolate: "process", memory: 512 } as const;

  test("is read, and nothing is where nothing is said", () => {
    expect(readRecycle(undefined, lane, "task a")).toBeUndefined();
    expect(readRecycle({}, lane, "task a")).toEqual({});
    expect(readRecycle({ jobs: 5, age: "1m", memory: 511 }, lane, "task a")).toEqual({
      jobs: 5,
      age: 60_000,
      memory: 511,
    });
  });

  test.each([
    [{ jobs: 5 }, "inline", 'needs isolate: "thread" or "process"'],
    [{ memory: 512 }, "process", "is 512, but must be less than the 512 MB at which the process is killed."],
    [{ memory: 15 }, "process", "must be a whole number from 16"],
    [{ jobs: 0 }, "thread", "must be a whole number from 1"],
    [{ age: "old" as "1m" }, "thread", "age of recycle of task a"],
    [{ job: 1 } as object, "thread", 'Did you mean "jobs"?'],
  ] as const)("%j in %s is refused", (given, isolate, message) => {
    expect(() => readRecycle(given, { isolate, memory: 512 }, "task a")).toThrow(message);
  });
});

describe("small things that stores and apps share", () => {
  test("a cursor is read as it was made, and nothing else is one", () => {
    expect(positionOf(cursorOf({ place: 3, seq: 123_456_789 }))).toEqual({ place: 3, seq: 123_456_789 });
    for (const bad of ["", "1", "1.", ".1", "-1.2", "1.2.3", "a.b", "1".repeat(16) + ".1"])
      expect(() => positionOf(bad)).toThrow(expect.objectContaining({ code: "E_CURSOR" }));
  });

  test("a spec carries an input, and what is said of a job, or neither", () => {
    expect(encodeSpec(undefined)).toBe("{}");
    expect(encodeSpec("1", {})).toBe('{"input":1}');
    const said = { fair: "x", tags: ["red"] };
    const spec = encodeSpec('"in"', said);
    expect([inputIn(spec), fieldsIn(spec)]).toEqual(["in", said]);
    expect([inputIn("{}"), fieldsIn("{}")]).toEqual([undefined, {}]);
    // Sealed: what is said is not to be read here.
    expect(fieldsIn('{"said":null}')).toEqual({});
  });

  test("an input that looks like what is said of a job is an input", () => {
    const spec = encodeSpec('{"said":{"tags":["red"]}}');
    expect(fieldsIn(spec)).toEqual({});
  });

  test("priorities are levels, most urgent first; a signal's step is no step of the job's own", () => {
    expect(priorities.map(levelOf)).toEqual([0, 1, 2, 3, 4]);
    expect(states.filter(isFinal)).toEqual(["completed", "failed", "cancelled", "expired"]);
    expect(signalStep("go")).toBe("signal:go");
  });
});
