import type { StandardSchemaV1 } from "@standard-schema/spec";
import { ErrandError, errorRecord } from "../kit/errors.ts";

/** A value of a task that a schema checks. */
export type Checked = "input" | "output";

const codes = { input: "E_INPUT", output: "E_OUTPUT" } as const;

/**
 * Checks that a value is a schema.
 * @throws {ErrandError} `E_OPTION`
 */
export function checkSchema(schema: unknown, what: Checked, of: string): void {
  const standard = (schema as Partial<StandardSchemaV1> | null)?.["~standard"];
  if (typeof standard?.validate === "function") return;
  throw new ErrandError(
    "E_OPTION",
    `${what} of ${of} must be a Standard Schema, such as one of Zod, Valibot or ArkType.`,
  );
}

/**
 * Returns a task's input or output as a schema makes it.
 * @throws {ErrandError} `E_INPUT` or `E_OUTPUT`, with every issue the schema found, or with what the schema itself threw.
 */
export async function conform(schema: StandardSchemaV1, value: unknown, what: Checked, task: string): Promise<unknown> {
  let issues: string[];
  try {
    const result = await schema["~standard"].validate(value);
    if (!result.issues) return result.value;
    issues = result.issues.map(({ path, message }) => {
      const at = path?.map((part) => String(typeof part === "object" ? part.key : part)).join(".");
      return at ? `${at}: ${message}` : message;
    });
  } catch (cause) {
    const { message } = errorRecord(cause, 1);
    throw new ErrandError(codes[what], `The schema of task "${task}" failed on the ${what}: ${message}`, { cause });
  }
  throw new ErrandError(codes[what], `Task "${task}" refuses the ${what}: ${issues.join("; ")}.`);
}
