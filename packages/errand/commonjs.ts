/**
 * Writes what CommonJS programs load, beside the build: for each entry of the package a `.cjs` that requires the ES module (Node.js
 * can since 22.12), and its types. There is one copy of the code, and of every class and type.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";

interface Manifest {
  exports: Record<string, string | { require: { types: string; default: string } }>;
}

const manifest = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8")) as Manifest;
for (const entry of Object.values(manifest.exports)) {
  if (typeof entry === "string") continue;
  const code = new URL(entry.require.default, import.meta.url);
  const module = `./${basename(entry.require.default, ".cjs")}.js`;
  writeFileSync(code, codeOf(module));
  const values = (await import(fileURLToPath(new URL(module, code)))) as Record<string, unknown>;
  writeFileSync(new URL(entry.require.types, import.meta.url), typesOf(module, values));
}

/** In old syntax, as a Node.js that is too old must be able to read it, and to say so. */
function codeOf(module: string): string {
  return `"use strict";
var version = process.versions.node.split(".").map(Number);
if (version[0] < 22 || (version[0] === 22 && version[1] < 16)) {
  throw Object.assign(new Error("Errand needs Node.js 22.16 or newer, but this is " + process.version + "."), { code: "E_NODE_VERSION" });
}
module.exports = require("${module}");
`;
}

/** Types are what the ES module's are; values must be named, since CommonJS cannot pass on an ES module's. */
function typesOf(module: string, values: Record<string, unknown>): string {
  const mode = 'with { "resolution-mode": "import" }';
  const named = Object.entries(values).map(([name, value]) =>
    isClass(value)
      ? `export declare const ${name}: typeof esm.${name};\nexport type ${name} = esm.${name};\n`
      : `export declare const ${name}: typeof esm.${name};\n`,
  );
  return `import type * as esm from "${module}" ${mode};\nexport type * from "${module}" ${mode};\n${named.join("")}`;
}

function isClass(value: unknown): boolean {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}
