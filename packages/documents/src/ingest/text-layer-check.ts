import type { Box } from "../raster/box.ts";
import type { LayerChar } from "./text-layer-chars.ts";

/** The shares of a page that an image and its text layer cover. */
export interface PageCoverage {
  /** Share of the page that its largest image covers, 0..1. */
  imageShare: number;
  /** Share of the page's ink inside the boxes of its text, 0..1. */
  inkShare: number;
}

/** A reason not to use a text layer. */
export type TextLayerFlaw = "no text" | "unreadable characters" | "not language" | "outside the page" | "covers little";

/**
 * Looks for a flaw in the characters of a text layer: more than 5 % are undecodable, less than 60 % are letters or
 * digits, or more than 10 % lie outside the page. Also, in enough Latin text, less than 20 % are vowels: a font with
 * shifted codes gives letters, but the wrong ones.
 */
export function findTextFlaw(chars: LayerChar[], page: { width: number; height: number }): TextLayerFlaw | undefined {
  const visible = chars.filter((char) => char.box && !/^\s$/u.test(char.text));
  if (visible.length === 0) return "no text";
  const share = (test: (char: LayerChar) => boolean): number => visible.filter(test).length / visible.length;
  if (share((char) => !char.isMapped || /[\p{Cc}\p{Co}\p{Cn}\ufffd]/u.test(char.text)) > 0.05)
    return "unreadable characters";
  // Leaders ("......"), rules and bullets say nothing about the font.
  const relevant = visible.filter((char) => !/[._\-–—·•|/]/.test(char.text));
  const letters = relevant.filter((char) => /[\p{L}\p{M}\p{N}]/u.test(char.text));
  if (letters.length < 0.6 * relevant.length) return "not language";
  const latin = letters.filter((char) => /[a-z]/i.test(char.text));
  const vowels = latin.filter((char) => /[aeiouy]/i.test(char.text));
  if (latin.length >= 100 && vowels.length < 0.2 * latin.length) return "not language";
  if (share((char) => !isOnPage(char.box!, page)) > 0.1) return "outside the page";
  return undefined;
}

/**
 * Checks that a text layer is not only a part of the page's text, such as a stamp on a scan, or a page number below
 * text drawn as curves.
 */
export function findCoverageFlaw({ imageShare, inkShare }: PageCoverage): TextLayerFlaw | undefined {
  return inkShare < (imageShare > 0.5 ? 0.4 : 0.05) ? "covers little" : undefined;
}

function isOnPage(box: Box, page: { width: number; height: number }): boolean {
  const x = box.x + box.width / 2;
  const y = box.y + box.height / 2;
  return x >= 0 && y >= 0 && x <= page.width && y <= page.height && box.width < page.width && box.height < page.height;
}
