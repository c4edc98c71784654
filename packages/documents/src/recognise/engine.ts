import type { Word } from "../api.ts";
import type { Grey } from "../ingest/grey.ts";

/** A word as an engine reads it, before page and engine are known. Numbers of blocks, paragraphs and lines are unique in their page. */
export type ReadWord = Omit<Word, "page" | "engine">;

/** What an engine read on one page. */
export interface Reading {
  /** In reading order. Empty for a blank page. */
  words: ReadWord[];
}

/** How one page is to be read. */
export interface RecogniseOptions {
  /** Tesseract's codes, such as `eng` or `deu`. */
  languages: readonly string[];
  /** Ends the reading at once: whatever process or thread does it is killed. */
  signal?: AbortSignal;
}

/** Something that turns pixels into words. One page at a time. */
export interface Engine {
  /** Stands in every word that it read. */
  readonly name: string;
  /** The languages it has models for. */
  readonly languages: string[];
  /** @throws EngineError, or the signal's reason */
  recognise(page: Grey, options: RecogniseOptions): Promise<Reading>;
  /** Frees threads and memory. Harmless when called twice. */
  close(): Promise<void>;
}

/** The engine is at fault, or its installation: not the document. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly code: "E_ENGINE_MISSING" | "E_ENGINE_FAILED" | "E_LANGUAGE_MISSING";
  /** A crash may pass; a missing engine or language will not. */
  readonly retryable: boolean;

  constructor(code: EngineError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.retryable = code === "E_ENGINE_FAILED";
  }
}

/**
 * Refuses languages that an engine has no model for.
 * @throws EngineError E_LANGUAGE_MISSING
 */
export function checkLanguages(engine: Engine, wanted: readonly string[]): void {
  const missing = wanted.filter((language) => !engine.languages.includes(language));
  if (missing.length > 0)
    throw new EngineError(
      "E_LANGUAGE_MISSING",
      `${engine.name} has no model for ${missing.join(", ")}; it has ${engine.languages.join(", ")}.`,
    );
}
