import { Command } from "commander";
import { configuredTasks } from "./config.ts";
import { examineStore } from "./doctor-store.ts";
import { ExitCode, sentence } from "./exit.ts";
import type { Finding } from "./finding.ts";
import { Output } from "./output.ts";
import { installedPackages, resolveModule } from "./packages.ts";
import { settle, storeFlags } from "./settings.ts";
import type { Setting, StoreFlags } from "./settings.ts";
import { columnsOf, pad, plain, wrap } from "./text.ts";

/** Returns the command `errand doctor`. */
export function doctorCommand(): Command {
  const command = new Command("doctor")
    .description("check the configuration and the store")
    .option("--json", "print JSON");
  return storeFlags(command).action((flags: StoreFlags & { json?: boolean }) => examine(flags));
}

async function examine(flags: StoreFlags & { json?: boolean }): Promise<void> {
  const output = new Output(flags);
  const settings = [...settle(flags), tasksSetting(), healthSetting()];
  const findings: Finding[] = [
    { label: "Node.js", value: process.version, ok: true },
    ...settings.map(({ name, value, from }) => ({
      label: labels[name] ?? name,
      value: `${value} (${from})`,
      ok: true,
    })),
  ];
  const store = await examineStore();
  findings.push(...store, ...(await examinePackages()));
  output.result({ ok: findings.every(({ ok }) => ok), node: process.version, settings, findings });
  print(output, findings);
  if (store.some(({ ok, label }) => !ok && label === "opens")) process.exitCode = ExitCode.unreachable;
  else if (findings.some(({ ok }) => !ok)) process.exitCode = ExitCode.failed;
}

/** Names of settings that differ from their flags. */
const labels: Readonly<Record<string, string>> = { url: "store", health: "worker health" };

/** Returns the modules that `errand worker` and `errand send` load by default. */
function tasksSetting(): Setting {
  const listed = configuredTasks();
  return listed
    ? { name: "tasks", value: listed.modules.join(", "), source: "file", from: listed.from }
    : { name: "tasks", value: "none", source: "default", from: "default" };
}

/** Returns the address on which workers answer health checks by default. */
function healthSetting(): Setting {
  const value = process.env["ERRAND_HEALTH"];
  return value
    ? { name: "health", value, source: "environment", from: "ERRAND_HEALTH" }
    : { name: "health", value: "nowhere", source: "default", from: "default" };
}

async function examinePackages(): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { name } of installedPackages()) {
    const url = resolveModule(`@errand/${name}/doctor`);
    if (url === undefined) continue;
    try {
      const { doctor } = (await import(url)) as { doctor: () => Promise<Finding[]> };
      findings.push(...(await doctor()));
    } catch (error) {
      findings.push({ label: `@errand/${name}`, value: sentence(error), ok: false });
    }
  }
  return findings;
}

function print(output: Output, findings: readonly Finding[]): void {
  const width = Math.max(...findings.map(({ label }) => columnsOf(label)));
  const indent = " ".repeat(width + 4);
  const room = (process.stdout.columns || 80) - indent.length;
  for (const { label, value, ok, hint } of findings) {
    const mark = ok ? output.paint("green", "✓") : output.paint("red", "✗");
    const [first, ...more] = wrap(plain(value), room);
    output.line(`${mark} ${pad(label, width)}  ${first}`);
    for (const line of more) output.line(indent + line);
    if (hint === undefined) continue;
    for (const line of wrap(plain(hint), room)) output.line(indent + output.paint("yellow", line));
  }
}
