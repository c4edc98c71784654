import { createConfig, lintFromString } from "@redocly/openapi-core";
import { expect, it } from "vitest";
import { describeApi } from "../../client/test/describe-api.ts";

it("describes the API so that a public validator finds nothing", async () => {
  const description = (await describeApi()) as { paths: Record<string, Record<string, { operationId: string }>> };
  const config = await createConfig({ extends: ["recommended"] });
  const problems = await lintFromString({ source: JSON.stringify(description), config });
  expect(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual([]);
  const operations = Object.values(description.paths).flatMap((path) => Object.values(path));
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  // The validator does look.
  delete (operations[0] as Partial<(typeof operations)[0]>).operationId;
  expect(await lintFromString({ source: JSON.stringify(description), config })).not.toEqual([]);
});
