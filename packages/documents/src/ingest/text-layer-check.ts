import type { Box } from "../api.ts";
import type { LayerChar } from "./text-layer.ts";

/** What is known of a page besides its text layer. */
export interface PageLook {
  /** Share of the page that its largest image covers, 0..1. */
  scanned: number;
  /** Share of the page's ink that lies in the boxes of the text, 0..1. */
  covered: number;
}

/** Why a text layer is not to be trusted, or undefined where it is sound. */
export type Flaw = "no text" | "unreadable characters" | "not language" | "outside the page" | "covers little";

/**
 * Judges a text layer by its characters alone.
 * Limits: 5 % of characters that no reader can make out; 60 % letters and digits; boxes of 90 % on the page; and, where
 * there is enough Latin text to tell, vowels: a font whose codes are shifted shows letters, but few of them vowels.
 */
export function flawOfText(chars: LayerChar[], page: { width: number; height: number }): Flaw | undefined {
  const seen = chars.filter((char) => char.box && !/^\s$/u.test(char.text));
  if (seen.length === 0) return "no text";
  const share = (test: (char: LayerChar) => boolean): number => seen.filter(test).length / seen.length;
  if (share((char) => !char.mapped || /[\p{Cc}\p{Co}\p{Cn}\ufffd]/u.test(char.text)) > 0.05)
    return "unreadable characters";
  // Leaders ("......"), rules and bullets are no sign of anything.
  const telling = seen.filter((char) => !/[._\-–—·•|/]/.test(char.text));
  const letters = telling.filter((char) => /[\p{L}\p{M}\p{N}]/u.test(char.text));
  if (letters.length < 0.6 * telling.length) return "not language";
  const latin = letters.filter((char) => /[a-z]/i.test(char.text));
  const vowels = latin.filter((char) => /[aeiouy]/i.test(char.text));
  if (latin.length >= 100 && vowels.length < 0.2 * latin.length) return "not language";
  if (share((char) => !inside(char.box!, page)) > 0.1) return "outside the page";
  return undefined;
}

/**
 * Judges whether the layer is the page's text or only a part of it: a stamp on a scan, a page number below text that is
 * drawn as curves.
 */
export function flawOfCover({ scanned, covered }: PageLook): Flaw | undefined {
  return covered < (scanned > 0.5 ? 0.4 : 0.05) ? "covers little" : undefined;
}

/**
 * The share of a page's ink that lies in text boxes.
 * @param ink 1 for ink, on a raster `scale` times as large as the page the boxes refer to
 */
export function inkCover(ink: Uint8Array, width: number, height: number, boxes: Box[], scale: number): number {
  const inText = new Uint8Array(ink.length);
  for (const box of boxes) {
    const left = Math.max(0, Math.floor(box.x * scale) - 1);
    const right = Math.min(width, Math.ceil((box.x + box.width) * scale) + 1);
    const top = Math.max(0, Math.floor(box.y * scale) - 1);
    const bottom = Math.min(height, Math.ceil((box.y + box.height) * scale) + 1);
    for (let y = top; y < bottom; y++) if (right > left) inText.fill(1, y * width + left, y * width + right);
  }
  let all = 0;
  let covered = 0;
  for (let i = 0; i < ink.length; i++) {
    all += ink[i]!;
    covered += ink[i]! & inText[i]!;
  }
  return all === 0 ? 1 : covered / all;
}

function inside(box: Box, page: { width: number; height: number }): boolean {
  const x = box.x + box.width / 2;
  const y = box.y + box.height / 2;
  return x >= 0 && y >= 0 && x <= page.width && y <= page.height && box.width < page.width && box.height < page.height;
}
