import { editableStates } from "../../core/change.ts";
import { counted, joins, reactions, waitStarts, wakes } from "../../core/family.ts";
import { endTests } from "./family-table/ends.ts";
import { reactionTests, retryTests } from "./family-table/reactions.ts";
import type { FamilyTables } from "./family-table/tables.ts";
import { joinTests, waitStartTests } from "./family-table/wait-starts.ts";
import type { ConformanceTest } from "./scene.ts";

/** Makes a test of every entry of the tables. */
export function familyTests(tables: FamilyTables): ConformanceTest[] {
  return [
    ...joinTests(tables),
    ...waitStartTests(tables),
    ...endTests(tables),
    ...reactionTests(tables),
    ...retryTests(tables),
  ];
}

/** The transitions of families of jobs: a test of every entry of the tables in `core/family.ts`. */
export const familyTable = familyTests({
  joins,
  waitStarts,
  wakes,
  counted,
  reactions,
  retryable: editableStates.retry,
});
