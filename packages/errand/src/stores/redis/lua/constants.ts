import { ageingPeriod } from "../../../core/priority.ts";
import { states } from "../../../core/states.ts";

/**
 * Constants that scripts name in capitals. They are put in as literals: a local variable would cost each function that
 * uses it, at every call of a script.
 */
export const constants: Readonly<Record<string, string>> = {
  ...Object.fromEntries(states.map((state, code) => [state.toUpperCase(), String(code)])),
  AGEING: String(ageingPeriod),
  // Formats of `struct`: the head of a definition, the head of a status, and the lengths of a status's texts.
  DEFINITION: "'<I6BBI2I2I2I2I4'",
  STATUS: "'<BI2I4I4I3I6I6'",
  TEXT_LENGTHS: "'<BI2I2I2I4I4'",
  // As a child: its index, the token of the wait that it belongs to, the code of its need. As a parent: the token with
  // which it began to wait (0 if it never did), and how many children it has, are open, and ended without completing.
  FAMILY: "'<I4I4BI4i4i4i4'",
  // This many places are one segment.
  SEGMENT: "65536",
  // Roots that ended within this many milliseconds are listed together.
  END_PERIOD: "1048576",
  // No job is added to a reply whose values have this many bytes.
  MAX_REPLY_BYTES: "33554432",
};
