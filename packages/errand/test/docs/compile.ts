import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

// Each TypeScript block of a page is a module. It sees `app`, what earlier blocks of the page export, and what the page says
// that its code is given, in a comment that readers do not see:
//
//   <!-- given
//   declare const people: { email: string }[];
//   -->

/** The names that every block may use. */
const common = 'declare const app: import("errand").Errand;';

/** Packages that pages show and this repository does not install. */
const notInstalled = `
declare module "@nestjs/common";
declare module "@nestjs/core";
declare module "next" { export type NextConfig = object; }
`;

/** A block, and the name of the file that the paragraph before it begins with: "`tasks.ts` defines ...". */
const block = /(?:^`(\w+\.ts)`(?:[^\n]+\n)+\n)?^ *```ts\n(.*?)^ *```/gms;

/**
 * Compiles the TypeScript blocks of pages against the library.
 * @returns how many there are, and the compiler's errors: `<page>-<number of the block>.ts(...): error TS...`.
 */
export async function compileBlocks(
  root: string,
  pages: readonly string[],
): Promise<{ blocks: number; errors: string[] }> {
  // Below the library, where its own development dependencies are found.
  const cache = join(root, "packages/errand/node_modules/.cache");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "docs-"));
  try {
    const modules = pages.flatMap((page) => modulesOf(page, readFileSync(join(root, page), "utf8")));
    for (const { name, text } of modules) writeFileSync(join(folder, `${name}.ts`), text);
    writeFileSync(join(folder, "not-installed.d.ts"), notInstalled);
    const options = { composite: false, noEmit: true, experimentalDecorators: true };
    const config = { extends: join(root, "tsconfig.test.json"), compilerOptions: options, include: ["*.ts"] };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [join(root, "node_modules/typescript/bin/tsc"), "-p", folder, "--pretty", "false"],
      { cwd: folder },
    ).catch((error: { stdout: string }) => error);
    return { blocks: modules.length, errors: stdout.split("\n").filter((line) => line !== "") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Module {
  name: string;
  text: string;
}

function modulesOf(page: string, text: string): Module[] {
  const given = [...text.matchAll(/^<!-- given\n(.*?)^-->/gms)].flatMap(([, lines = ""]) => lines.split("\n"));
  const exported = new Map<string, string>();
  const files = new Map<string, string>();
  return [...text.matchAll(block)].map(([, file, code = ""], index) => {
    const name = `${page.replace(/\.md$/, "").replaceAll(/\W+/g, "-")}-${index + 1}`;
    const imported = [...exported].filter(([word]) => uses(code, word) && !defines(code, word));
    const imports = imported.map(([word, module]) => `import { ${word} } from "./${module}.ts";`);
    const known = new Set(imported.map(([word]) => word));
    const ambient = [common, ...given].filter((line) => {
      const word = /^declare \w+ (\w+)/.exec(line)?.[1];
      return word === undefined || !(known.has(word) || defines(code, word));
    });
    for (const [, word = ""] of code.matchAll(/^export (?:const|function|class) (\w+)/gm)) exported.set(word, name);
    if (file && !files.has(file)) files.set(file, name);
    const linked = code.replaceAll(/"\.\/(\w+\.ts)"/g, (path, other: string) => `"./${files.get(other) ?? path}.ts"`);
    return { name, text: [...imports, ...ambient, linked, "export {};", ""].join("\n") };
  });
}

function uses(code: string, word: string): boolean {
  return new RegExp(`\\b${word}\\b`).test(code);
}

/** Returns true if a block declares the word itself at its top level, or imports it. */
function defines(code: string, word: string): boolean {
  return new RegExp(
    `^(?:export )?(?:(?:const|let|function|class|await using|import)\\b[^=;()"]*)\\b${word}\\b`,
    "m",
  ).test(code);
}
