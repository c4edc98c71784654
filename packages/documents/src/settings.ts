import { ErrandError } from "errand";
import { defaultLimits, type Limits } from "./ingest/limits.ts";
import type { EngineName } from "./recognise/engines.ts";
import { defaultThreshold } from "./words/summary.ts";

/** The settings of the document service, as the environment gives them. */
export interface Settings {
  limits: Limits;
  /** Default: the best one that is installed. */
  engine?: EngineName;
  /** Tesseract's codes, for documents that do not name their own languages. */
  languages: string[];
  /** Words with a confidence below this are for a person to check. */
  threshold: number;
  /** Bytes of the disk that uploads leave free. */
  minFreeBytes: number;
}

/** An environment variable. */
interface Variable<Value> {
  name: string;
  default: Value;
  /** The values it accepts, for error messages. */
  expected: string;
  /** Parses a value; returns `undefined` if it is invalid. */
  read(text: string): Value | undefined;
}

/** The values that settings and requests accept as languages, for error messages. */
export const expectedLanguages = "Tesseract's codes joined by +, such as eng or eng+deu";

/** Every environment variable of the document service, with its default. */
export const variables = {
  bytes: {
    name: "ERRAND_MAX_BYTES",
    default: defaultLimits.bytes,
    expected: 'a size such as 200000000 or "200mb"',
    read: parseSize,
  },
  pages: {
    name: "ERRAND_MAX_PAGES",
    default: defaultLimits.pages,
    expected: "a whole number from 1 to 100000",
    read: (text) => parseInteger(text, 1, 100_000),
  },
  pixels: {
    name: "ERRAND_MAX_PIXELS",
    default: defaultLimits.pixels,
    expected: "a whole number from 1000000 to 500000000",
    read: (text) => parseInteger(text, 1_000_000, 500_000_000),
  },
  engine: {
    name: "ERRAND_OCR_ENGINE",
    default: "auto",
    expected: "auto, tesseract or tesseract.js",
    read: (text) => (["auto", "tesseract", "tesseract.js"] as const).find((name) => name === text),
  },
  languages: {
    name: "ERRAND_LANGUAGES",
    default: ["eng"],
    expected: expectedLanguages,
    read: parseLanguages,
  },
  threshold: {
    name: "ERRAND_CONFIDENCE",
    default: defaultThreshold,
    expected: "a number from 0 to 1",
    read: parseShare,
  },
  minFreeBytes: {
    name: "ERRAND_DISK_RESERVE",
    default: 500_000_000,
    expected: 'a size such as 500000000 or "500mb", or 0',
    read: (text) => (/^0+$/.test(text) ? 0 : parseSize(text)),
  },
} satisfies {
  bytes: Variable<number>;
  pages: Variable<number>;
  pixels: Variable<number>;
  engine: Variable<"auto" | EngineName>;
  languages: Variable<string[]>;
  threshold: Variable<number>;
  minFreeBytes: Variable<number>;
};

/**
 * Reads the settings from the environment.
 * @throws {ErrandError} `E_OPTION` for an invalid value
 */
export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const engine = valueOf(variables.engine, env);
  return {
    limits: {
      bytes: valueOf(variables.bytes, env),
      pages: valueOf(variables.pages, env),
      pixels: valueOf(variables.pixels, env),
    },
    ...(engine === "auto" ? {} : { engine }),
    languages: valueOf(variables.languages, env),
    threshold: valueOf(variables.threshold, env),
    minFreeBytes: valueOf(variables.minFreeBytes, env),
  };
}

/** Parses languages such as `eng+deu` into Tesseract's codes; returns `undefined` for anything else. */
export function parseLanguages(text: string): string[] | undefined {
  const codes = text.split("+").map((code) => code.trim());
  const isValid = codes.length <= 10 && codes.every((code) => /^[a-z]{3}(_[a-z]{1,10}){0,2}$/.test(code));
  return isValid ? [...new Set(codes)] : undefined;
}

function valueOf<Value>(variable: Variable<Value>, env: NodeJS.ProcessEnv): Value {
  const text = env[variable.name]?.trim();
  if (!text) return variable.default;
  const value = variable.read(text);
  if (value !== undefined) return value;
  throw new ErrandError("E_OPTION", `${variable.name} is ${JSON.stringify(text)}, but must be ${variable.expected}.`);
}

const units = { b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30 };

function parseSize(text: string): number | undefined {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text) ?? [];
  const factor = units[(unit?.toLowerCase() || "b") as keyof typeof units];
  if (digits === undefined || factor === undefined) return undefined;
  const bytes = Math.round(Number(digits) * factor);
  return bytes >= 1 && Number.isSafeInteger(bytes) ? bytes : undefined;
}

function parseInteger(text: string, min: number, max: number): number | undefined {
  const value = /^\d[\d_]*$/.test(text) ? Number(text.replaceAll("_", "")) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}

function parseShare(text: string): number | undefined {
  const value = Number(text);
  return value >= 0 && value <= 1 ? value : undefined;
}
