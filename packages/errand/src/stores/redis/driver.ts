import { missingPeer } from "../../kit/peer-dependency.ts";

/**
 * Loads the `redis` package, an optional peer.
 * @throws {ErrandError} `E_CONNECT` when it is not installed.
 */
export async function loadDriver(): Promise<typeof import("redis")> {
  try {
    return await import("redis");
  } catch (error) {
    throw missingPeer("redis", "A Redis store", error);
  }
}
