/**
 * The slot of a cluster that a key belongs to: the CRC16 (XMODEM) of its hash tag, or of all of it, modulo 16384.
 */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021
  return crc
})

const utf8 = new TextEncoder()

/** The text between the first `{` and the next `}`, unless it is empty; otherwise the whole key. */
const tag = (key: string): string => {
  const open = key.indexOf("{")
  if (open === -1) return key
  const close = key.indexOf("}", open + 1)
  return close === -1 || close === open + 1 ? key : key.slice(open + 1, close)
}

export const ofKey = (key: string): number => {
  let crc = 0
  for (const byte of utf8.encode(tag(key))) crc = ((crc << 8) & 0xffff) ^ table[(crc >> 8) ^ byte]!
  return crc & 0x3fff
}
