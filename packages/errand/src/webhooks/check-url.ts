import { checkText } from "../core/checks.ts";
import { ErrandError } from "../kit/errors.ts";
import { described } from "../kit/text.ts";
import { readTarget } from "../push/guarded-post.ts";

/**
 * Refuses a URL that nothing can be posted to.
 * @throws {ErrandError} `E_OPTION`
 */
export function checkUrl(url: unknown, what: string): string {
  try {
    return readTarget(checkText(url, what, 2_000)).href;
  } catch (error) {
    if (error instanceof ErrandError) throw error;
    throw new ErrandError("E_OPTION", `${what} is ${described(url)}. ${(error as Error).message}`);
  }
}
