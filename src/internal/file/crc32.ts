// Four bytes a step, each through a table of its own: more than twice as fast as one byte a step, and replaying a
// journal spends much of its time here.
const tables = new Int32Array(4 * 256)
for (let i = 0; i < tables.length; i++) {
  let crc = i < 256 ? i : tables[i - 256]!
  if (i < 256) { for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1 }
  else crc = (crc >>> 8) ^ tables[crc & 0xff]!
  tables[i] = crc
}

/**
 * The CRC-32 of zip, gzip and PNG of the bytes from `start` to `end`.
 */
export const crc32 = (bytes: Uint8Array, start = 0, end = bytes.length): number => {
  let crc = -1
  let i = start
  for (const last = end - 3; i < last; i += 4) {
    crc ^= bytes[i]! | bytes[i + 1]! << 8 | bytes[i + 2]! << 16 | bytes[i + 3]! << 24
    crc = tables[768 + (crc & 0xff)]! ^ tables[512 + (crc >>> 8 & 0xff)]! ^ tables[256 + (crc >>> 16 & 0xff)]! ^
      tables[crc >>> 24]!
  }
  for (; i < end; i++) crc = tables[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}

/** That of a text as UTF-8, where it has a byte for each character. */
export const crc32OfText = (text: string): number | undefined => {
  let crc = -1
  let all = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    all |= code
    crc = tables[(crc ^ code) & 0xff]! ^ (crc >>> 8)
  }
  return all < 128 ? ~crc >>> 0 : undefined
}
