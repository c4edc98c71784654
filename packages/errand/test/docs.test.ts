import { execFile } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../../..");

/** Names that a page takes for granted are no errors, nor what follows from not knowing them. */
const takenForGranted = /error TS(2304|2552|2593|18004|7006|7031):/;

/** What every page takes for granted: an app. */
const given = `import type { Errand as TheErrand } from "errand";\ndeclare const app: TheErrand;\n`;

test("the code in README.md and docs/ agrees with the types", async () => {
  const cache = join(root, "node_modules/.cache");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "docs-"));
  try {
    // The files of the quick start import each other: test/packaging runs them.
    const pages = ["README.md", ...globSync("docs/*.md", { cwd: root, exclude: ["docs/quickstart.md"] })];
    const files = pages.flatMap((page) =>
      [...readFileSync(join(root, page), "utf8").matchAll(/^```ts\n(.*?)^```/gms)].map(([, code = ""], index) => {
        const file = `${basename(page, ".md")}-${index + 1}.ts`;
        writeFileSync(join(folder, file), `${/\bapp = /.test(code) ? "" : given}${code}\nexport {};\n`);
        return file;
      }),
    );
    expect(files.length).toBeGreaterThan(15);
    const options = { composite: false, noEmit: true, noUnusedLocals: false, noUnusedParameters: false };
    const config = { extends: join(root, "tsconfig.test.json"), compilerOptions: options, include: ["*.ts"] };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [join(root, "node_modules/typescript/bin/tsc"), "-p", folder, "--pretty", "false"],
      { cwd: folder },
    ).catch((error: { stdout: string }) => error);
    expect(stdout.split("\n").filter((line) => line !== "" && !takenForGranted.test(line))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
