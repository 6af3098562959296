const chunk = 256 * 1024
const newline = 10

/**
 * The end of a file that grows, cut into lines. A line is given out once its newline is there.
 */
export interface Tail {
  /** Where to read the next bytes of the file into. Lines given out before are no longer valid. */
  readonly room: () => Uint8Array
  /** Says how many bytes were read into the room. */
  readonly fill: (bytes: number) => void
  /** The next line, without its newline. */
  readonly next: () => Uint8Array | undefined
  /** What comes after the last newline. */
  readonly rest: () => Uint8Array
}

export const make = (): Tail => {
  let buffer = new Uint8Array(chunk)
  let start = 0
  let end = 0
  // Bytes before this hold no newline: a line longer than a read is not searched again from its start each time.
  let searched = 0
  return {
    room: () => {
      if (start === end) {
        if (buffer.length > chunk) buffer = new Uint8Array(chunk)
        start = end = searched = 0
      } else if (buffer.length - end < chunk / 4) {
        // Doubling keeps the copying linear in the length of the line.
        const next = end - start > buffer.length / 2 ? new Uint8Array(buffer.length * 2) : buffer
        next.set(buffer.subarray(start, end))
        searched -= start
        end -= start
        start = 0
        buffer = next
      }
      return buffer.subarray(end)
    },
    fill: (bytes) => {
      end += bytes
    },
    next: () => {
      const at = buffer.subarray(0, end).indexOf(newline, searched)
      if (at === -1) {
        searched = end
        return undefined
      }
      const line = buffer.subarray(start, at)
      start = searched = at + 1
      return line
    },
    rest: () => buffer.subarray(start, end)
  }
}
