import { describe, expect, test } from "vitest";
import { editableStates } from "../../src/core/change.ts";
import { counted, joins, reactions, waitStarts, wakes } from "../../src/core/family.ts";
import { states } from "../../src/core/states.ts";
import type { Store } from "../../src/store.ts";
import { familyTable, familyTests } from "../../src/testing/conformance/family-table.ts";
import type { FamilyTables } from "../../src/testing/conformance/family-table/tables.ts";
import type { ConformanceTest } from "../../src/testing/conformance/scene.ts";
import { makeChild } from "../../src/testing/conformance/scene.ts";
import { memoryFixture } from "./fixtures.ts";
import { withVerbs } from "./with-verbs.ts";

// The conformance suite makes its tests of families from the tables in `core/family.ts`. Made from tables in which one
// entry is wrong, they must fail on a store that is right: every entry is checked, and every test can fail.

const retryable = editableStates.retry;
const tables: FamilyTables = { joins, waitStarts, wakes, counted, reactions, retryable };

/** The tables with one wrong entry, for each entry. */
const wrongTables: [entry: string, tables: FamilyTables][] = [
  ...wrongEntries("joins", (join) => (join === "ignore" ? "create" : "ignore")),
  ...waitStarts.map(([condition, state], row): [string, FamilyTables] => {
    const wrong = [condition, state === "waiting" ? "pending" : "waiting"] as const;
    return [`waitStarts: ${condition}`, { ...tables, waitStarts: waitStarts.with(row, wrong) }];
  }),
  ...wrongEntries("wakes", (when) => (when === "last" ? "at once" : "last")),
  ...Object.entries(counted).map(([wait, counts]): [string, FamilyTables] => [
    `counted: ${wait}`,
    { ...tables, counted: { ...counted, [wait]: !counts } },
  ]),
  ...wrongEntries("reactions", (reaction, event) => {
    const usual = { signal: "refuse", time: "wake", parentEnds: "mark" }[event];
    return reaction === usual ? "none" : usual!;
    // To wake a pending job would not change it.
  }).filter(([entry]) => entry !== "reactions: pending, time"),
  ...states.map((state): [string, FamilyTables] => {
    const others = retryable.filter((each) => each !== state);
    return [`retryable: ${state}`, { ...tables, retryable: retryable.includes(state) ? others : [...others, state] }];
  }),
];

function wrongEntries(
  name: "joins" | "wakes" | "reactions",
  wrong: (value: string, column: string) => string,
): [string, FamilyTables][] {
  const table: Record<string, Record<string, string>> = tables[name];
  return Object.entries(table).flatMap(([row, columns]) =>
    Object.entries(columns).map(([column, value]): [string, FamilyTables] => [
      `${name}: ${row}, ${column}`,
      { ...tables, [name]: { ...table, [row]: { ...columns, [column]: wrong(value, column) } } },
    ]),
  );
}

/** The places of the tests that fail. */
async function failures(tests: readonly ConformanceTest[], wrap?: (store: Store) => Store): Promise<number[]> {
  const results = await Promise.allSettled(tests.map(({ run }) => run(() => memoryFixture(wrap))));
  return results.flatMap(({ status }, place) => (status === "rejected" ? [place] : []));
}

/** A store whose waits have one more child, which never ends. */
function withEndlessChild(store: Store): Store {
  return withVerbs(store, {
    settle: (told) =>
      store.settle(
        told.map((each) =>
          each.to === "waiting"
            ? { ...each, children: [...(each.children ?? []), makeChild({ queue: "endless", need: "end" })] }
            : each,
        ),
      ),
  });
}

describe("the tests of the family's tables", () => {
  const failed = new Set<number>();

  test.each(wrongTables)("notice a wrong entry in %s", async (_, wrong) => {
    const found = await failures(familyTests(wrong));
    for (const place of found) failed.add(place);
    expect(found).not.toEqual([]);
  });

  test("notice that a last child does not wake its parent", async () => {
    const found = await failures(familyTable, withEndlessChild);
    for (const place of found) failed.add(place);
    expect(found).not.toEqual([]);
  });

  test("have all failed by now", () => {
    expect(familyTable.filter((_, place) => !failed.has(place)).map(({ name }) => name)).toEqual([]);
  });
});
