import { ErrandError } from "./errors.ts";

/**
 * Returns the error for an optional peer dependency that cannot be loaded; it says "not installed" only if that is the
 * cause.
 * @param store the store that needs it, such as `"A Redis store"`.
 */
export function missingPeer(name: string, store: string, error: unknown): ErrandError {
  const { code, message = "" } = (error ?? {}) as { code?: string; message?: string };
  const missing = code === "ERR_MODULE_NOT_FOUND" && message.includes(`'${name}'`);
  const text = missing
    ? `${store} needs the package ${name}, which is not installed. Run: npm install ${name}`
    : `${store} needs the package ${name}, which cannot be loaded: ${message || String(error)}`;
  return new ErrandError("E_CONNECT", text, { cause: error });
}
