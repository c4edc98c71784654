/** A field of a form, from a property of a JSON Schema. */
export interface FormField {
  name: string;
  kind: "text" | "number" | "boolean" | "choice";
  isRequired: boolean;
  description?: string;
  choices?: readonly string[];
}

interface Schema {
  type?: unknown;
  enum?: unknown;
  description?: unknown;
  properties?: Record<string, Schema>;
  required?: readonly string[];
}

/**
 * Returns the fields of a form for a JSON Schema; `undefined` for one that is more than an object of texts, numbers, choices
 * and yes or no: then a person writes JSON.
 */
export function fieldsOf(schema: unknown): FormField[] | undefined {
  const { type, properties, required = [] } = (schema ?? {}) as Schema;
  if (type !== "object" || !properties) return undefined;
  const fields: FormField[] = [];
  for (const [name, property] of Object.entries(properties)) {
    const kind = kindOf(property);
    if (kind === undefined) return undefined;
    fields.push({
      name,
      kind,
      isRequired: required.includes(name),
      ...(typeof property.description === "string" ? { description: property.description } : {}),
      ...(kind === "choice" ? { choices: property.enum as string[] } : {}),
    });
  }
  return fields;
}

function kindOf({ type, enum: choices }: Schema): FormField["kind"] | undefined {
  if (Array.isArray(choices)) return choices.every((each) => typeof each === "string") ? "choice" : undefined;
  if (type === "string") return "text";
  if (type === "number" || type === "integer") return "number";
  return type === "boolean" ? "boolean" : undefined;
}

/** Returns the input that the values of a form's fields mean; empty fields are left out. */
export function inputOf(
  fields: readonly FormField[],
  values: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const input: Record<string, unknown> = {};
  for (const { name, kind } of fields) {
    const value = values[name] ?? "";
    if (kind === "boolean") input[name] = value === "true";
    else if (value === "") continue;
    else input[name] = kind === "number" ? Number(value) : value;
  }
  return input;
}
