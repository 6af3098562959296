export const concat = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  if (parts.length === 1) return parts[0]!
  let length = 0
  for (const part of parts) length += part.length
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** How many bytes are encoded, decoded or checked before others get their turn on the event loop. */
export const atOnce = 1024 * 1024

const encoder = new TextEncoder()

const poolSize = 64 * 1024
let pool = new Uint8Array(poolSize)
let used = 0

/** Room for a few bytes, in a buffer shared with others: to make one for each costs more than to fill it. */
export const room = (length: number): Uint8Array => {
  if (length > poolSize / 8) return new Uint8Array(length)
  if (length > poolSize - used) {
    pool = new Uint8Array(poolSize)
    used = 0
  }
  return pool.subarray(used, used += length)
}

/** A text in UTF-8. */
export const encodeText = (text: string): Uint8Array => {
  // Most texts have a byte for each character, and so need no look for how long they are.
  const bytes = room(text.length)
  return encoder.encodeInto(text, bytes).read === text.length ? bytes : encoder.encode(text)
}
