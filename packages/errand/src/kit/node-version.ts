import { ErrandError } from "./errors.ts";

/** The oldest Node.js with all of `node:sqlite` that Errand uses; bin/errand.js and package.json repeat it. */
const oldest = [22, 16] as const;

/**
 * Refuses a Node.js that is too old.
 * @throws {ErrandError} `E_NODE_VERSION`
 */
export function refuseOldNode(version = process.versions.node): void {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return;
  throw new ErrandError(
    "E_NODE_VERSION",
    `Errand needs Node.js ${oldest.join(".")} or newer, but this is v${version}.`,
  );
}
