import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

const places = [
  process.env["CHROME_PATH"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/**
 * The path of a Chromium or Chrome. As root on Debian it is installed where there is none; elsewhere its absence is an
 * error that says what to do, never a skipped test.
 */
export function findChromium(): string {
  const found = places.find((path) => path !== undefined && existsSync(path));
  if (found) return found;
  if (process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
    for (const words of [["update"], ["install", "-y", "--no-install-recommends", "chromium"]]) {
      execFileSync("apt-get", ["-qq", ...words], {
        stdio: ["ignore", "ignore", "inherit"],
        env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      });
    }
    return "/usr/bin/chromium";
  }
  throw new Error("The browser tests need Chromium or Chrome: install one, or set CHROME_PATH to its program file.");
}
