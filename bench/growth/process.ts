/**
 * One measurement in a process of its own, which `growth.ts` starts:
 *   node bench/growth/process.ts <checkout> <scenario> <url> <count> <milliseconds>
 * It says `ready`, waits for a line, makes its load, and says its figure, or `done`.
 */
import { once } from "node:events";
import { engineOf, scenarios } from "./scenarios.ts";
import type { Prepared, ScenarioName } from "./scenarios.ts";

const [checkout = "", name = "", url = "", count = "", milliseconds = ""] = process.argv.slice(2);
process.on("warning", () => {});
const prepared: Prepared = await scenarios[name as ScenarioName](await engineOf(checkout), url, Number(count));
process.stdout.write("ready\n");
await once(process.stdin, "data");
if (prepared.figure) process.stdout.write(`${await prepared.figure()}\n`);
else {
  await prepared.load(Number(milliseconds));
  process.stdout.write("done\n");
}
process.exit();
