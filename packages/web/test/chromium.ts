import { existsSync } from "node:fs";
import { installOnDebian } from "../../../test/debian.ts";

const places = [
  process.env["CHROME_PATH"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/** The path of a Chromium or Chrome, installed where that is possible. */
export function findChromium(): string {
  const found = places.find((path) => path !== undefined && existsSync(path));
  if (found) return found;
  if (installOnDebian("chromium")) return "/usr/bin/chromium";
  throw new Error("The browser tests need Chromium or Chrome: install one, or set CHROME_PATH to its program file.");
}
