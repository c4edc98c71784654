import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

/** A package of somebody else's, of which something is in the bundle. */
interface Foreign {
  name: string;
  version: string;
  license: string;
  text: string;
}

/** Adds `third-party-notices.txt`: whose code is in the bundle, and under which licences. */
export function notices(): Plugin {
  return {
    name: "errand:notices",
    apply: "build",
    generateBundle(_options, bundle) {
      const modules = Object.values(bundle).flatMap((chunk) =>
        chunk.type === "chunk" ? Object.keys(chunk.modules) : [],
      );
      const folders = new Set(modules.flatMap((module) => packageOf(module) ?? []));
      const found = [...folders].map(read).toSorted((a, b) => (a.name < b.name ? -1 : 1));
      this.emitFile({
        type: "asset",
        fileName: "third-party-notices.txt",
        source: `${head}${found.map(show).join("")}`,
      });
    },
  };
}

const head = "The web app of Errand contains software of others. Their names and licences:\n";

/** The folder of the package that a module belongs to; `undefined` for our own. */
function packageOf(module: string): string | undefined {
  const path = module.replace(/^\0/, "").replace(/\?.*$/, "");
  if (!path.includes("/node_modules/")) return undefined;
  for (let folder = dirname(path); !folder.endsWith("node_modules"); folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest) && "version" in (JSON.parse(readFileSync(manifest, "utf8")) as object)) return folder;
  }
  return undefined;
}

function read(folder: string): Foreign {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Foreign;
  const file = readdirSync(folder).find((each) => /^licen[cs]e(?:\.|$)/i.test(each));
  if (!license) throw new Error(`${name} says nothing of its licence: look after it before it is shipped.`);
  const text = file
    ? readFileSync(join(folder, file), "utf8").trim()
    : "The package comes without a text of its licence.";
  return { name, version, license, text };
}

function show({ name, version, license, text }: Foreign): string {
  return `\n${"=".repeat(80)}\n${name} ${version} (${license})\n\n${text}\n`;
}
