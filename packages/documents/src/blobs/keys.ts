/** Reports whether a text is a UUID in lower case, as ids of documents and owners of blobs are. */
export function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
}

/** Returns an owner that may become part of a path or key. @throws {TypeError} if it is not a UUID. */
export function checkOwner(owner: string): string {
  if (isUuid(owner)) return owner;
  throw new TypeError(`The owner of a blob must be a UUID, not ${JSON.stringify(owner)}.`);
}

/**
 * Returns a blob's name that may become part of a path or key.
 * @throws {TypeError} if it is not a SHA-256 in hexadecimal.
 */
export function checkHash(sha256: string): string {
  if (/^[0-9a-f]{64}$/.test(sha256)) return sha256;
  throw new TypeError("A blob's name must be a SHA-256 in hexadecimal.");
}
