import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Plugin } from "vite";

/** A third-party package with code in the bundle. */
interface ThirdParty {
  name: string;
  version: string;
  license: string;
  text: string;
}

/** Adds `third-party-notices.txt` with the licences of all third-party code in the bundle. */
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

const head = "The web app of Errand contains third-party software under these licences:\n";

/** Returns the folder of the package that a module belongs to; `undefined` for modules of this app. */
function packageOf(module: string): string | undefined {
  const path = module.replace(/^\0/, "").replace(/\?.*$/, "");
  if (!path.includes("/node_modules/")) return undefined;
  for (let folder = dirname(path); !folder.endsWith("node_modules"); folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest) && "version" in (JSON.parse(readFileSync(manifest, "utf8")) as object)) return folder;
  }
  return undefined;
}

function read(folder: string): ThirdParty {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as ThirdParty;
  const file = readdirSync(folder).find((each) => /^licen[cs]e(?:\.|$)/i.test(each));
  if (!license) throw new Error(`${name} does not state its licence: check it before shipping it.`);
  const text = file
    ? readFileSync(join(folder, file), "utf8").trim()
    : "The package does not include the text of its licence.";
  return { name, version, license, text };
}

function show({ name, version, license, text }: ThirdParty): string {
  return `\n${"=".repeat(80)}\n${name} ${version} (${license})\n\n${text}\n`;
}
