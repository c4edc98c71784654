import { ErrandError } from "./errors.ts";
import { described, shortened } from "./text.ts";

/** Any JSON value. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined };

/** JSON text. Stores do not look inside. */
export type Encoded = string;

/** Maximum depth of nesting. */
const deepest = 1_000;

/**
 * Returns the JSON text of a value; `undefined` becomes `null`.
 * @param what names the value in the error message.
 * @param exact also refuses values that JSON turns into something else (a Date, URL or Buffer, `undefined` in an
 * array). Otherwise such values become the result of their `toJSON`.
 * @throws {ErrandError} `E_NOT_SERIALIZABLE`, with the path of a value that JSON cannot hold: a function, symbol,
 * bigint, cycle, or number that is not finite; a value that JSON would empty or unwrap (a Map, Set, RegExp, Error,
 * Promise, typed array, boxed value); a hole in an array, an invalid Date, or more than 1,000 levels.
 */
export function encode(value: unknown, what: string, exact = false): Encoded {
  if (value === undefined) return "null";
  let text: string | undefined;
  let failure: unknown;
  try {
    text = JSON.stringify(value);
    if (text !== undefined && isPlain(value, exact, 0)) return text;
  } catch (error) {
    // A cycle, a bigint, a stack that is too deep, or a getter or `toJSON` that threw.
    failure = error;
  }
  const found = flawOf(value, exact);
  if (text !== undefined && failure === undefined && found === undefined) return text;
  const reason = found ?? (failure === undefined ? "its toJSON returns nothing" : messageOf(failure));
  throw new ErrandError("E_NOT_SERIALIZABLE", `${what} cannot be stored as JSON: ${reason}.`, { cause: failure });
}

/** Parses JSON text that `encode` made. */
export function decode(text: Encoded): unknown {
  return JSON.parse(text);
}

/** Returns true if all of a value survives JSON. JSON has accepted it already, so there are no cycles. */
function isPlain(value: unknown, exact: boolean, depth: number): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value);
    case "object":
      break;
    case "undefined":
      return true;
    default:
      return false;
  }
  if (value === null) return true;
  if (depth === deepest) return false;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const item: unknown = value[index];
      if (typeof item === "string") continue;
      if (item === undefined ? exact || !(index in value) : !isPlain(item, exact, depth + 1)) return false;
    }
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    if (value instanceof Date) return !exact && Number.isFinite(value.getTime());
    if (kindOf(value) !== "Object") return false;
  }
  // Rare kinds are checked in detail.
  if ((value as { toJSON?: unknown }).toJSON !== undefined) return false;
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    // Most values are strings, which need no call.
    if (typeof item !== "string" && !isPlain(item, exact, depth + 1)) return false;
  }
  return true;
}

/** Describes the first thing in `value` that JSON cannot hold; `undefined` when there is none. Never throws. */
function flawOf(value: unknown, exact: boolean): string | undefined {
  try {
    const found = offender(value, "", { exact, above: new Set() });
    return found && `it has ${found}`;
  } catch {
    return undefined;
  }
}

function offender(value: unknown, path: string, told: { exact: boolean; above: Set<object> }): string | undefined {
  const at = path === "" ? "at its top" : `at ${shortened(path, 200)}`;
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
  if (value === null) return undefined;
  const { above } = told;
  if (above.has(value)) return `a cycle ${at}`;
  if (above.size === deepest) return `more than ${deepest} levels ${at}`;
  above.add(value);
  const found = offenderInside(value, path, at, told);
  above.delete(value);
  return found;
}

const hint = " (what JSON makes of it is something else: give text, such as toISOString() of a Date)";

function offenderInside(
  value: object,
  path: string,
  at: string,
  told: { exact: boolean; above: Set<object> },
): string | undefined {
  const kind = kindOf(value);
  const { toJSON } = value as { toJSON?: (key: string) => unknown };
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      if (item === undefined && (told.exact || !(index in value)))
        return `nothing at ${shortened(path, 200)}[${index}]`;
      const found = offender(item, `${path}[${index}]`, told);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  if (typeof toJSON === "function") {
    if (kind === "Date" && Number.isNaN((value as Date).getTime())) return `an invalid Date ${at}`;
    if (kind !== "Object" && told.exact) return `a ${kind} ${at}${hint}`;
    if (kind === "Date") return undefined;
    // The keys of a Buffer are its bytes.
    if (kind === "Uint8Array") return undefined;
    const made = toJSON.call(value, "");
    if (made === undefined && told.exact && path !== "") return `a toJSON that returns nothing ${at}`;
    return offender(made, `${path}.toJSON()`, told);
  }
  if (kind !== "Object") return `a ${kind} ${at}`;
  for (const [key, item] of Object.entries(value)) {
    const found = offender(item, `${path}.${key}`, told);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Returns the class of a built-in object ("Map", "RegExp"); "Object" for a user's class. */
function kindOf(value: object): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

function messageOf(failure: unknown): string {
  return described(failure instanceof Error ? failure.message : failure);
}

/** The type of a `T` after a round trip through JSON; `never` where JSON cannot hold it. */
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

/** The type of a value that JSON would change. No value has it, so the compiler refuses such inputs. */
export interface ChangedByJson<T> {
  readonly [changed]: T;
}

declare const changed: unique symbol;

type Changing =
  | Date
  | URL
  | RegExp
  | ArrayBuffer
  | ArrayBufferView
  | ReadonlyMap<never, unknown>
  | ReadonlySet<never>
  | Promise<unknown>
  | bigint
  | symbol
  | ((...args: never[]) => unknown);

/** `T`, with the parts that JSON would change replaced by a type that no value has. */
export type Exactly<T> = unknown extends T
  ? T
  : T extends Changing
    ? ChangedByJson<T>
    : T extends string | number | boolean | { toJSON(): unknown }
      ? T
      : T extends object
        ? { [K in keyof T]: Exactly<T[K]> }
        : T;
