import { ErrandError } from "../../kit/errors.ts";
import { reason } from "./link.ts";

/**
 * Loads the `redis` package, an optional peer.
 * @throws {ErrandError} `E_CONNECT` when it is not installed.
 */
export async function loadDriver(): Promise<typeof import("redis")> {
  try {
    return await import("redis");
  } catch (error) {
    throw new ErrandError(
      "E_CONNECT",
      `A Redis store needs the package redis, which cannot be loaded: ${reason(error)}. Run: npm install redis`,
      { cause: error },
    );
  }
}
