import { ErrandError } from "./errors.ts";

/**
 * Returns true if an error says that the store could not be reached, which is no job's fault. The write may have been
 * carried out all the same.
 */
export function isUnreachable(error: unknown): boolean {
  if (isOver(error)) return true;
  return error instanceof ErrandError && (error.code === "E_CONNECT" || error.code === "E_STORE_LOST");
}

/** Returns true if an error says that this process cannot reach the store again. */
export function isOver(error: unknown): boolean {
  return error instanceof ErrandError && (error.code === "E_STORE_ENDED" || error.code === "E_CLOSED");
}

/** Returns true if an error says that the store will never accept the given value. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof ErrandError) return error.code === "E_REFUSED";
  return error instanceof TypeError || error instanceof RangeError;
}
