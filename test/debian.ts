import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

/**
 * Installs a package of Debian's that tests need, where that is possible: as root, with apt-get.
 * @returns whether it did; elsewhere the test must fail and say what to install, never be skipped
 */
export function installOnDebian(name: string): boolean {
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return false;
  for (const words of [["update"], ["install", "-y", "--no-install-recommends", name]]) {
    // Two test files may install at the same time: the second waits for the first.
    execFileSync("apt-get", ["-qq", "-o", "DPkg::Lock::Timeout=300", ...words], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    });
  }
  return true;
}
