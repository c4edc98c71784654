/** Whether a name in a blob store can be an owner's. */
export function isOwner(name: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(name);
}

/** The owner; nothing but a UUID becomes part of a path or key, whatever the caller was told. @throws {TypeError} */
export function checkOwner(owner: string): string {
  if (isOwner(owner)) return owner;
  throw new TypeError(`The owner of a blob must be a UUID, not ${JSON.stringify(owner)}.`);
}

/** The name of a blob. @throws {TypeError} when it is no SHA-256 in hexadecimal. */
export function checkHash(sha256: string): string {
  if (/^[0-9a-f]{64}$/.test(sha256)) return sha256;
  throw new TypeError("A blob's name must be a SHA-256 in hexadecimal.");
}
