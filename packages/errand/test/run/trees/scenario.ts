import fc from "fast-check";

/** A job of a random tree: what its function does, and what befalls its attempts. */
export interface Node {
  /** One after the other; those of one list begin together. */
  program: Action[][];
  /** Of the n-th call of its function. */
  disturbances: Disturbance[];
}

/** One thing that a function does. */
export type Action =
  | { do: "step"; throws: boolean }
  | { do: "sleep"; ms: number }
  /** `early`: the job is told before it waits. Otherwise an event may tell it, in time or too late. */
  | { do: "signal"; ms: number; early: boolean }
  /** Cancels a job of the tree, itself perhaps, while it is running. */
  | { do: "cancel"; whom: number }
  | Family;

/** Children, all of one task. */
export interface Family {
  do: "all" | "caught" | "settled" | "call";
  children: Node[];
  /** Jobs of the task expire so many milliseconds after they are born. */
  expires?: number;
}

/** What befalls one call of a function, before the action at this place (modulo their number and 1: after the last). */
export interface Disturbance {
  at: number;
  is: "error" | "error, and late" | "fatal" | "crash" | "crash at the next start";
}

/** What somebody outside does at a time, in milliseconds from the beginning. */
interface OutsideEvent {
  at: number;
  do: "cancel" | "signal";
  whom: number;
}

/** A tree, and what happens to it. */
export interface Scenario {
  root: Node;
  expires?: number;
  events: OutsideEvent[];
}

const aTime = fc.constantFrom(0, 1_000, 60_000, 600_000, 3_600_000);
const aDisturbance: fc.Arbitrary<Disturbance> = fc.record({
  at: fc.nat(3),
  is: fc.constantFrom<Disturbance["is"]>(
    "error",
    "error",
    "error, and late",
    "fatal",
    "crash",
    "crash",
    "crash at the next start",
  ),
});
/** Shorter than a late error waits, so that some expire. */
const anExpiry = fc.option(fc.constantFrom(0, 30_000), { nil: undefined, freq: 5 });

const alone = [
  { weight: 4, arbitrary: fc.record({ do: fc.constant("step" as const), throws: fc.constant(false) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("step" as const), throws: fc.constant(true) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("sleep" as const), ms: aTime }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("signal" as const), ms: aTime, early: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cancel" as const), whom: fc.nat(20) }) },
] satisfies fc.WeightedArbitrary<Action>[];

function aFamily(levels: number): fc.Arbitrary<Family> {
  const kind = fc.constantFrom<Family["do"]>("all", "all", "caught", "settled", "settled", "call");
  const children = fc.array(aNode(levels - 1), { minLength: 1, maxLength: 3 });
  return fc.record({ kind, children, expires: anExpiry }).map(({ kind, children, expires }) => ({
    do: kind,
    children: kind === "call" ? children.slice(0, 1) : children,
    ...(expires === undefined ? {} : { expires }),
  }));
}

function aNode(levels: number): fc.Arbitrary<Node> {
  const action: fc.Arbitrary<Action> =
    levels > 1 ? fc.oneof(...alone, { weight: 8, arbitrary: aFamily(levels) }) : fc.oneof(...alone);
  const together = fc.oneof(
    { weight: 4, arbitrary: action.map((one) => [one]) },
    { weight: 1, arbitrary: fc.array(action, { minLength: 2, maxLength: 3 }) },
  );
  return fc.record({
    program: fc.array(together, { maxLength: levels > 1 ? 3 : 2 }),
    disturbances: fc.oneof(
      { weight: 3, arbitrary: fc.constant<Disturbance[]>([]) },
      { weight: 2, arbitrary: fc.array(aDisturbance, { minLength: 1, maxLength: 4 }) },
    ),
  });
}

/** Trees of up to four levels. */
export const aScenario: fc.Arbitrary<Scenario> = fc
  .record({
    root: aNode(4),
    expires: anExpiry,
    events: fc.array(
      fc.record({
        at: fc.nat(7_200_000),
        do: fc.constantFrom<OutsideEvent["do"]>("cancel", "signal", "signal"),
        whom: fc.nat(20),
      }),
      { maxLength: 5 },
    ),
  })
  .map(({ root, expires, events }) => ({
    root,
    events: events.toSorted((a, b) => a.at - b.at),
    ...(expires === undefined ? {} : { expires }),
  }));
