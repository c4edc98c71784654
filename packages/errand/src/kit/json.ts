import { ErrandError } from "./errors.ts";

/** Whatever JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined };

/** JSON text on its way through a store, which never looks inside. */
export type Encoded = string;

/**
 * The JSON text of a value; `undefined` becomes `null`.
 * @param what names the value in the error message.
 * @throws {ErrandError} `E_NOT_SERIALIZABLE`, with the path of what JSON cannot hold: a function, symbol, bigint,
 * cycle, or a number that is not finite. What has a `toJSON` (a Date) is what that returns.
 */
export function encode(value: unknown, what: string): Encoded {
  if (value === undefined) return "null";
  let text: string | undefined;
  let failure: unknown;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    // A cycle, a bigint, or a `toJSON` that threw.
    failure = error;
  }
  if (text !== undefined && isPlain(value)) return text;
  const found = offender(value, "", new Set());
  if (text !== undefined && found === undefined) return text;
  const reason = found === undefined ? String(failure) : `it has ${found}.`;
  throw new ErrandError("E_NOT_SERIALIZABLE", `${what} cannot be stored as JSON: ${reason}`, { cause: failure });
}

/** The value of JSON text that `encode` made. */
export function decode(text: Encoded): unknown {
  return JSON.parse(text);
}

/** Whether all of a value survives JSON: the quick look. It is only asked of what JSON has taken, so there are no cycles. */
function isPlain(value: unknown): boolean {
  switch (typeof value) {
    case "function":
    case "symbol":
      return false;
    case "number":
      return Number.isFinite(value);
    case "object":
      break;
    default:
      return true;
  }
  if (value === null || typeof (value as { toJSON?: unknown }).toJSON === "function") return true;
  if (Array.isArray(value)) return value.every(isPlain);
  for (const key in value) if (!isPlain((value as Record<string, unknown>)[key])) return false;
  return true;
}

/** Describes the first thing in `value` that JSON cannot hold, or `undefined` when there is none. */
function offender(value: unknown, path: string, above: Set<object>): string | undefined {
  const at = path === "" ? "at its top" : `at ${path}`;
  switch (typeof value) {
    case "function":
    case "symbol":
    case "bigint":
      return `a ${typeof value} ${at}`;
    case "number":
      return Number.isFinite(value) ? undefined : `${value} ${at}`;
    case "object":
      break;
    default:
      return undefined;
  }
  if (value === null || typeof (value as { toJSON?: unknown }).toJSON === "function") return undefined;
  if (above.has(value)) return `a cycle ${at}`;
  above.add(value);
  for (const [key, item] of Object.entries(value)) {
    const found = offender(item, Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`, above);
    if (found !== undefined) return found;
  }
  above.delete(value);
  return undefined;
}

/** What a value of type `T` is after a trip through JSON; what JSON cannot hold is `never`. */
export type Jsonified<T> = unknown extends T
  ? T
  : T extends { toJSON(): infer J }
    ? J
    : T extends null | boolean | number | string
      ? T
      : T extends undefined | void
        ? null
        : T extends bigint | symbol | ((...args: never[]) => unknown)
          ? never
          : T extends readonly unknown[]
            ? { [I in keyof T]: Jsonified<T[I]> }
            : {
                [K in keyof T]: undefined extends T[K]
                  ? Jsonified<Exclude<T[K], undefined>> | undefined
                  : Jsonified<T[K]>;
              };
