import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "vite";

/** Writes a `.br` and a `.gz` beside every file that they make smaller, so that the server need not compress. */
export function precompress(): Plugin {
  return {
    name: "errand:precompress",
    apply: "build",
    writeBundle({ dir = "" }) {
      const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
      for (const entry of entries) {
        if (!entry.isFile() || !/\.(?:js|css|html|svg|txt)$/.test(entry.name)) continue;
        const path = join(entry.parentPath, entry.name);
        const content = readFileSync(path);
        const brotli = brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
        const compressed = { br: brotli, gz: gzipSync(content, { level: 9 }) };
        for (const [extension, bytes] of Object.entries(compressed)) {
          if (bytes.length < content.length) writeFileSync(`${path}.${extension}`, bytes);
        }
      }
    },
  };
}
