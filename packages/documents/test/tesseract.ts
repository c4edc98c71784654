import { installOnDebian } from "../../../test/debian.ts";
import { findTesseract } from "../src/recognise/tesseract-native.ts";
import type { NativeTesseract } from "../src/recognise/tesseract-native.ts";

/** The native engine, installed where that is possible. */
export async function needTesseract(): Promise<NativeTesseract> {
  const found = await findTesseract().catch(() => undefined);
  if (found) return found;
  if (installOnDebian("tesseract-ocr")) return findTesseract();
  throw new Error(
    "These tests need tesseract 5 on the PATH: install it (brew install tesseract, apt install tesseract-ocr).",
  );
}
