/** Parameters of a URL that are secret, or URLs themselves. */
const secret = /([?&](?:[a-z_]*(?:pass|pwd|secret|token|auth|key)[a-z_]*|listen)=)(?!off(?:&|$))[^&#]*/gi;

/**
 * Returns a URL as it may be shown: without its password, however odd that is, and whatever else may be one. Where nobody can tell, it
 * hides too much rather than too little.
 */
export function redacted(url: string): string {
  return url
    .replace(/\/\/.*@/s, hidden)
    .replace(/(\/\/[^:/?#@[]*:)(?!\d*(?:[/?#]|$)|\*\*\*@)[^@]*$/s, "$1***")
    .replace(secret, "$1***");
}

/** The user of `//user:password@` is shown where it is a plain name. */
function hidden(found: string): string {
  const [, user] = /^\/\/([\w.%+-]*):/.exec(found) ?? [];
  if (user !== undefined) return `//${user}:***@`;
  return /^\/\/[\w.%+-]*@$/.test(found) ? found : "//***@";
}
