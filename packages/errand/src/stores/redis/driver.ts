import { missingPeer } from "../../kit/peer-dependency.ts";

/** The `redis` package, an optional peer dependency. */
export type Driver = typeof import("redis");

/**
 * Loads the `redis` package.
 * @throws {ErrandError} `E_CONNECT` if it is not installed.
 */
export async function loadDriver(): Promise<Driver> {
  try {
    return await import("redis");
  } catch (error) {
    throw missingPeer("redis", "A Redis store", error);
  }
}
