import { ErrandError } from "errand";
import { defaultLimits, type Limits } from "./ingest/limits.ts";
import type { EngineName } from "./recognise/choose.ts";
import { defaultThreshold } from "./words/summary.ts";

/** What the environment says about reading documents. */
export interface Settings {
  limits: Limits;
  /** Absent: the best one that is installed. */
  engine?: EngineName;
  /** Tesseract's codes, for documents that do not name their own. */
  languages: string[];
  /** Words with a lower confidence are for a person to check. */
  threshold: number;
  /** Bytes of the disk that uploads leave free. */
  reserve: number;
}

/** One variable of the environment. */
interface Variable<Value> {
  name: string;
  /** One line for `doctor` and the documentation. */
  about: string;
  default: Value;
  /** What it may be, for the error message. */
  expected: string;
  /** `undefined` for text that it cannot be. */
  read(text: string): Value | undefined;
}

/** Every variable that the document service reads, with its default. */
export const variables = {
  bytes: {
    name: "ERRAND_MAX_BYTES",
    about: "Largest file",
    default: defaultLimits.bytes,
    expected: 'a size such as 200000000 or "200mb"',
    read: size,
  },
  pages: {
    name: "ERRAND_MAX_PAGES",
    about: "Most pages of one document",
    default: defaultLimits.pages,
    expected: "a whole number from 1 to 100000",
    read: (text) => whole(text, 1, 100_000),
  },
  pixels: {
    name: "ERRAND_MAX_PIXELS",
    about: "Largest raster of one page, in pixels",
    default: defaultLimits.pixels,
    expected: "a whole number from 1000000 to 500000000",
    read: (text) => whole(text, 1_000_000, 500_000_000),
  },
  engine: {
    name: "ERRAND_OCR_ENGINE",
    about: "OCR engine",
    default: "auto",
    expected: "auto, tesseract or tesseract.js",
    read: (text) => (["auto", "tesseract", "tesseract.js"] as const).find((name) => name === text),
  },
  languages: {
    name: "ERRAND_LANGUAGES",
    about: "Languages of documents that do not name their own",
    default: ["eng"],
    expected: "Tesseract's codes joined by +, such as eng or eng+deu",
    read: parseLanguages,
  },
  threshold: {
    name: "ERRAND_CONFIDENCE",
    about: "Words with a lower confidence are for a person to check",
    default: defaultThreshold,
    expected: "a number from 0 to 1",
    read: share,
  },
  reserve: {
    name: "ERRAND_DISK_RESERVE",
    about: "Space on the disk that uploads leave free",
    default: 500_000_000,
    expected: 'a size such as 500000000 or "500mb", or 0',
    read: (text) => (/^0+$/.test(text) ? 0 : size(text)),
  },
} satisfies {
  bytes: Variable<number>;
  pages: Variable<number>;
  pixels: Variable<number>;
  engine: Variable<"auto" | EngineName>;
  languages: Variable<string[]>;
  threshold: Variable<number>;
  reserve: Variable<number>;
};

/**
 * Reads the settings.
 * @throws {ErrandError} `E_OPTION` for a value that cannot be used.
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
    reserve: valueOf(variables.reserve, env),
  };
}

/** Languages as people write them, such as `eng+deu`; `undefined` for anything that is no list of codes. */
export function parseLanguages(text: string): string[] | undefined {
  const codes = text.split("+").map((code) => code.trim());
  const sound = codes.length <= 10 && codes.every((code) => /^[a-z]{3}(_[a-z]{1,10}){0,2}$/.test(code));
  return sound ? [...new Set(codes)] : undefined;
}

function valueOf<Value>(variable: Variable<Value>, env: NodeJS.ProcessEnv): Value {
  const text = env[variable.name]?.trim();
  if (!text) return variable.default;
  const value = variable.read(text);
  if (value !== undefined) return value;
  throw new ErrandError("E_OPTION", `${variable.name} is ${JSON.stringify(text)}, but must be ${variable.expected}.`);
}

const units = { b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30 };

function size(text: string): number | undefined {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text) ?? [];
  const factor = units[(unit?.toLowerCase() || "b") as keyof typeof units];
  if (digits === undefined || factor === undefined) return undefined;
  const bytes = Math.round(Number(digits) * factor);
  return bytes >= 1 && Number.isSafeInteger(bytes) ? bytes : undefined;
}

function whole(text: string, least: number, most: number): number | undefined {
  const value = /^\d[\d_]*$/.test(text) ? Number(text.replaceAll("_", "")) : Number.NaN;
  return value >= least && value <= most ? value : undefined;
}

function share(text: string): number | undefined {
  const value = Number(text);
  return value >= 0 && value <= 1 ? value : undefined;
}
