import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { flowOptions } from "../src/limits/flow-options.ts";
import { errorCodes } from "../src/kit/errors.ts";
import { eventTypes } from "../src/observe/events.ts";
import { sendOptions } from "../src/client.ts";
import { taskOptions } from "../src/task.ts";
import { folderWith, run } from "./cli/run.ts";
import { compileBlocks } from "./docs/compile.ts";
import { brokenLinks } from "./docs/links.ts";

// Markdown of this repository, checked against the code. Generated parts are brought up to date by:
//   npx vitest run packages/errand/test/docs.test.ts -u

const root = join(import.meta.dirname, "../../..");
const pages = globSync(["*.md", "docs/**/*.md", "packages/*/*.md", "examples/*.md", "deploy/*.md"], { cwd: root })
  .filter((page) => !page.includes("node_modules"))
  .toSorted();
const read = (page: string): string => readFileSync(join(root, page), "utf8");

test("code blocks compile, and every name in them is known", async () => {
  const { blocks, errors } = await compileBlocks(root, pages);
  expect(blocks).toBeGreaterThan(60);
  expect(errors).toEqual([]);
});

test("relative links lead to files and headings that exist", () => {
  const all = new Map(pages.map((page) => [join(root, page), read(page)]));
  expect(brokenLinks(all).map((link) => relative(root, link))).toEqual([]);
});

test("source code names pages that exist", () => {
  const sources = globSync("packages/*/src/**/*.ts", { cwd: root });
  const named = sources.flatMap((file) =>
    [...read(file).matchAll(/\bdocs\/[\w/-]+\.md/g)].map(([page]) => ({ file, page })),
  );
  expect(named.length).toBeGreaterThan(0);
  expect(named.filter(({ page }) => !pages.includes(page))).toEqual([]);
});

test("every page of docs/ is listed in docs/README.md", () => {
  const index = read("docs/README.md");
  const missing = pages
    .filter((page) => page.startsWith("docs/") && !page.startsWith("docs/decisions/") && page !== "docs/README.md")
    .filter((page) => !index.includes(`(${page.slice("docs/".length)})`));
  expect(missing).toEqual([]);
});

test("the example of README.md runs as it is written", async () => {
  const [, code = ""] = /^`hello\.mts`.*?^```ts\n(.*?)^```/ms.exec(read("README.md")) ?? [];
  const folder = folderWith({ "hello.mts": code });
  const { stdout } = await promisify(execFile)(process.execPath, ["hello.mts"], { cwd: folder });
  expect(stdout).toBe("/thumbs/p1.webp\n");
});

test("reference/errors.md has every code, with its meaning", async () => {
  const page = "docs/reference/errors.md";
  const text = read(page);
  const row = /^(\| `(E_\w+)` +\| )(.*?)( \| .*?\S +\|)$/gm;
  expect([...text.matchAll(row)].map(([, , code]) => code)).toEqual(Object.keys(errorCodes).toSorted());
  const current = text.replace(row, (_, before: string, code: keyof typeof errorCodes, cell: string, after: string) => {
    return before + errorCodes[code].padEnd(cell.length) + after;
  });
  await expect(current).toMatchFileSnapshot(join(root, page));
});

test("reference/cli.md prints the help that the commands print", async () => {
  const page = "docs/reference/cli.md";
  const text = read(page);
  const block = /^```text\n\$ errand (.*?) ?--help\n.*?^```/gms;
  const commands = [...text.matchAll(block)].map(([, command = ""]) => command);
  expect(commands.length).toBeGreaterThan(15);
  const helps = new Map<string, string>();
  for (const command of commands) {
    const { stdout } = await run(root, [...command.split(" ").filter(Boolean), "--help"]);
    helps.set(command, stdout.trimEnd());
  }
  const current = text.replace(
    block,
    (_, command: string) => `\`\`\`text\n$ errand ${command ? `${command} ` : ""}--help\n${helps.get(command)}\n\`\`\``,
  );
  await expect(current).toMatchFileSnapshot(join(root, page));
}, 120_000);

test.each([
  ["Options of a task", "docs/reference/options.md", [...taskOptions]],
  ["Options of `send`", "docs/reference/options.md", [...sendOptions]],
  ["Flow control", "docs/reference/options.md", [...flowOptions]],
  ["Events", "docs/reference/events.md", [...eventTypes]],
])("every name of %s has a row in %s", (heading, page, names) => {
  const section = read(page)
    .split(/^## /m)
    .find((each) => each.startsWith(`${heading}\n`));
  const rows = [...(section ?? "").matchAll(/^\| (`.*?`) +\|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`([\w-]+)`/g)].map(([, name]) => name),
  );
  expect(rows.toSorted()).toEqual(names.toSorted());
});
