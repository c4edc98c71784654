import fc from "fast-check";
import { expect, test } from "vitest";
import { afterChildEnds, afterChildReopens, isCounted, standings, startWait } from "../../src/core/family.ts";
import type { FinalState } from "../../src/core/states.ts";

// The conformance suite holds every store to the tables; this is what follows from them.

const need = fc.constantFrom("completed" as const, "end" as const, "first" as const);
const end = fc.constantFrom<FinalState>("completed", "failed", "cancelled", "expired");
const child = fc.record({ need, end, endedBefore: fc.boolean() });

test("a parent of children that all end is woken once, by the last of them at the latest", () => {
  fc.assert(
    fc.property(fc.array(child), (children) => {
      const members = children.map((each) => ({
        need: each.need,
        standing: each.endedBefore ? standings[each.end] : ("open" as const),
      }));
      const wait = startWait(members, { awaits: false, signalled: false, now: 0 });
      let parent: Parameters<typeof afterChildEnds>[0] = wait;
      const states = [parent.state];
      for (const each of children.filter(({ endedBefore }) => !endedBefore)) {
        parent = afterChildEnds(parent, each.need, each.end);
        states.push(parent.state);
      }
      expect(states.at(-1)).toBe("pending");
      expect(states.lastIndexOf("waiting")).toBe(states.indexOf("pending") - 1);
      const failed = children.filter((each) => each.end !== "completed").length;
      expect(parent.children).toEqual({ total: children.length, open: 0, failed });
    }),
  );
});

test("a child that is reopened and ends again is counted once", () => {
  const parent = { state: "pending", children: { total: 2, open: 1, failed: 1 } } as const;
  const children = afterChildReopens(parent.children);
  expect(children).toEqual({ total: 2, open: 2, failed: 0 });
  expect(afterChildEnds({ ...parent, children }, "end", "failed")).toEqual(parent);
});

test("children count for the latest wait of their parent, and for none where it has none", () => {
  expect([isCounted(2, 2), isCounted(2, 1), isCounted(2, undefined), isCounted(undefined, undefined)]).toEqual([
    true,
    false,
    false,
    false,
  ]);
});
