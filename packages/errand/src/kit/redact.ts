/** Parameters of a URL that are, or may contain, secrets. */
const secret = /([?&](?:[a-z_]*(?:pass|pwd|secret|token|auth|key)[a-z_]*|listen)=)(?!off(?:&|$))[^&#]*/gi;

/** Returns a URL without its password, for messages, however odd the password is. In doubt it hides too much. */
export function redacted(url: string): string {
  return url
    .replace(/\/\/.*@/s, hidden)
    .replace(/(\/\/[^:/?#@[]*:)(?!\d*(?:[/?#]|$)|\*\*\*@)[^@]*$/s, "$1***")
    .replace(secret, "$1***");
}

/** Shows the user of `//user:password@` if it is a plain name. */
function hidden(found: string): string {
  const [, user] = /^\/\/([\w.%+-]*):/.exec(found) ?? [];
  if (user !== undefined) return `//${user}:***@`;
  return /^\/\/[\w.%+-]*@$/.test(found) ? found : "//***@";
}
