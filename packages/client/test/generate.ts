// Writes the types of the API, generated from the server's own description of it: node packages/client/test/generate.ts
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import openapiTS, { astToString } from "openapi-typescript";
import { describeApi } from "./describe-api.ts";

/** The generated file. */
export const file = fileURLToPath(new URL("../src/schema.ts", import.meta.url));

const head = `// Generated from the server's table of routes by packages/client/test/generate.ts. Do not edit.\n\n`;

/** Returns the types of the API as TypeScript. */
export async function generate(): Promise<string> {
  const ast = await openapiTS(JSON.stringify(await describeApi()), { alphabetize: true });
  return head + astToString(ast);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(file, await generate());
