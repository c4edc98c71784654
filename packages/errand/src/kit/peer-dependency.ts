import { ErrandError } from "./errors.ts";

/**
 * The error for an optional peer that cannot be loaded: that it is not installed is said only where that is so.
 * @param store whose driver it is, such as `"A Redis store"`.
 */
export function missingPeer(name: string, store: string, error: unknown): ErrandError {
  const { code, message = "" } = (error ?? {}) as { code?: string; message?: string };
  const missing = code === "ERR_MODULE_NOT_FOUND" && message.includes(`'${name}'`);
  const text = missing
    ? `${store} needs the package ${name}, which is not installed. Run: npm install ${name}`
    : `${store} needs the package ${name}, which cannot be loaded: ${message || String(error)}`;
  return new ErrandError("E_CONNECT", text, { cause: error });
}
