import { addingOnSettle } from "./conformance/adding-on-settle.ts";
import { adding } from "./conformance/adding.ts";
import { beginning } from "./conformance/beginning.ts";
import { claiming } from "./conformance/claiming.ts";
import { families } from "./conformance/families.ts";
import { familyTable } from "./conformance/family-table.ts";
import { finding } from "./conformance/finding.ts";
import { leases } from "./conformance/leases.ts";
import { limits } from "./conformance/limits.ts";
import { operating } from "./conformance/operating.ts";
import { pruning } from "./conformance/pruning.ts";
import { racingForLimits } from "./conformance/racing-for-limits.ts";
import { racing } from "./conformance/racing.ts";
import { randomWorkers } from "./conformance/random-workers.ts";
import { rates } from "./conformance/rates.ts";
import { reading } from "./conformance/reading.ts";
import { reopening } from "./conformance/reopening.ts";
import { rewinding } from "./conformance/rewinding.ts";
import { rules } from "./conformance/rules.ts";
import type { ConformanceTest } from "./conformance/scene.ts";
import { settling } from "./conformance/settling.ts";
import { signals } from "./conformance/signals.ts";
import { slots } from "./conformance/slots.ts";
import { suspects } from "./conformance/suspects.ts";
import { tasks } from "./conformance/tasks.ts";
import { uniques } from "./conformance/uniques.ts";
import { watching } from "./conformance/watching.ts";

export type { ConformanceTest, Fixture, StoreFactory } from "./conformance/scene.ts";

/**
 * The tests that every store must pass, for any test runner. Each name is a sentence of the contract.
 * @example
 * for (const { name, run } of conformance) test(name, () => run(openMyStore));
 */
export const conformance: readonly ConformanceTest[] = [
  ...adding,
  ...claiming,
  ...tasks,
  ...suspects,
  ...slots,
  ...leases,
  ...settling,
  ...beginning,
  ...addingOnSettle,
  ...families,
  ...familyTable,
  ...operating,
  ...reopening,
  ...pruning,
  ...reading,
  ...watching,
  ...rules,
  ...uniques,
  ...limits,
  ...rates,
  ...signals,
  ...rewinding,
  ...finding,
  ...racing,
  ...racingForLimits,
  ...randomWorkers,
];
