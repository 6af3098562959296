/**
 * Stored names are paths: the scope's own name, a family's name and key, each behind an optional namespace. Segments
 * are escaped like those of a JSON Pointer (RFC 6901), so that no two paths share a name.
 */
import { NameError } from "../ScopedError.ts"

/** Escapes one segment: `~` becomes `~0` and `/` becomes `~1`. */
export const segment = (text: string): string =>
  text.includes("~") || text.includes("/") ? text.replaceAll("~", "~0").replaceAll("/", "~1") : text

/** The segments of a stored name. */
export const segments = (name: string): ReadonlyArray<string> =>
  name.split("/").map((text) => text.includes("~") ? text.replaceAll("~1", "/").replaceAll("~0", "~") : text)

/** What is put in front of every name of a namespace. No segment contains `/`, so no plain or family name starts so. */
export const namespacePrefix = (namespace: string | undefined): string =>
  namespace === undefined ? "" : `${segment(namespace)}//`

/** Whether a stored name belongs to some namespace: no segment holds a slash, and no path within one has two in a row. */
export const isOfNamespace = (name: string): boolean => name.includes("//")

/** The UTF-8 length of a well-formed string. */
export const utf8Length = (text: string): number => {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x80) continue
    // A surrogate pair takes four bytes, two for each half.
    bytes += code < 0x800 || (code >= 0xd800 && code <= 0xdfff) ? 1 : 2
  }
  return bytes
}

/** Why `stored` cannot be a name on a driver that takes `limit` bytes, or `undefined` when it can. */
export const fault = (scope: string, stored: string, limit: number): NameError | undefined => {
  if (scope.length === 0) return invalid(scope, "it is empty. Give the scope a name of at least one character")
  if (!scope.isWellFormed() || !stored.isWellFormed()) {
    return invalid(scope, "it contains half of a surrogate pair, which no store can hold. Use whole characters")
  }
  // No character takes more than three bytes per UTF-16 unit.
  if (stored.length * 3 <= limit) return undefined
  const bytes = utf8Length(stored)
  return bytes <= limit ? undefined : invalid(
    scope,
    `it takes ${bytes} bytes as it is stored, and this driver takes ${limit} at most. Use a shorter name`
  )
}

const invalid = (scope: string, reason: string) => new NameError({ scope, reason })
