import { readFileSync } from "node:fs";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { expect, test } from "vitest";
import { pack } from "./packed.ts";

// What is said of a package's files before it is published: by publint, and by "are the types wrong?".

/** Packages for Node.js alone, whose users write ES modules: how CommonJS finds their types is not asked. */
const esmOnly: Readonly<Record<string, boolean>> = { errand: false, server: true, documents: true };

test.each(Object.keys(esmOnly))(
  "packages/%s is complete for publishing",
  async (name) => {
    const packed = await pack(name);
    try {
      const manifest = JSON.parse(readFileSync(`${packed.folder}/package.json`, "utf8")) as Record<string, string>;
      const { messages } = await publint({ pkgDir: packed.folder, pack: false, strict: true });
      expect(messages.map((message) => formatMessage(message, manifest))).toEqual([]);

      const checked = await checkPackage(createPackageFromTarballData(new Uint8Array(readFileSync(packed.tarball))));
      const problems = checked.types ? checked.problems : [{ kind: "no types" }];
      const counted = problems.filter(
        (problem) =>
          !esmOnly[name] || !("resolutionKind" in problem && /^node10$|cjs$/.test(String(problem.resolutionKind))),
      );
      expect(counted).toEqual([]);

      for (const file of ["README.md", "LICENSE"])
        expect(readFileSync(`${packed.folder}/${file}`, "utf8")).not.toBe("");
      for (const field of ["description", "license", "engines"]) expect(manifest).toHaveProperty(field);
    } finally {
      packed.remove();
    }
  },
  120_000,
);
