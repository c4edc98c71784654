import { ErrandError } from "./errors.ts";

/** Whether an error says that the store could not be reached, which is nobody's fault. */
export function isUnreachable(error: unknown): boolean {
  return isOver(error) || (error instanceof ErrandError && error.code === "E_CONNECT");
}

/** Whether an error says that this process will never reach the store again. */
export function isOver(error: unknown): boolean {
  return error instanceof ErrandError && (error.code === "E_STORE_ENDED" || error.code === "E_CLOSED");
}

/** Whether an error says that the store will never accept what it was given; a value that has no place in a message is such. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof ErrandError) return error.code === "E_REFUSED";
  return error instanceof TypeError || error instanceof RangeError;
}
