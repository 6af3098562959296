import { assert, describe, it } from "@effect/vitest"
import { crc32 as reference } from "node:zlib"
import { crc32 } from "../../src/internal/file/crc32.ts"
import * as Line from "../../src/internal/file/line.ts"
import * as Tail from "../../src/internal/file/tail.ts"
import { numbers } from "./seeded.ts"

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** Without the newlines around it. */
const bare = (line: Line.Line): Uint8Array => Line.encode(line).slice(1, -1)

const commit: Line.Commit = {
  id: "writer:1a",
  at: 1_700_000_000_000,
  synced: 12_345,
  tx: [["é\n\u2028😀\0\"", null, "r:1", "{\"a\":\"\\n\"}"], ["gone", "r:0", "r:2", null, 99], ["check", "r:3"]]
}

describe("crc32", () => {
  it("is that of zlib", () => {
    const random = numbers(1)
    for (let length = 0; length < 300; length++) {
      const bytes = Uint8Array.from({ length }, () => random(256))
      assert.strictEqual(crc32(bytes), reference(bytes))
      assert.strictEqual(crc32(bytes, length >> 1), reference(bytes.subarray(length >> 1)))
    }
  })
})

describe("a line", () => {
  it("is one line of JSON with a checksum of its body", () => {
    const line = text(Line.encode(commit))
    assert.match(line, /^\n\{"crc":"[0-9a-f]{8}","bytes":\d+,"id":"writer:1a",[^\n]*\}\n$/)
    const { bytes, crc, ...rest } = JSON.parse(line)
    const body = Buffer.from(line.trim()).subarray(-bytes)
    assert.strictEqual(crc, reference(body).toString(16).padStart(8, "0"))
    assert.deepStrictEqual(rest, commit)
  })

  it("is read as it was written", () => {
    const lines = [commit, { format: Line.format, at: 1 }, { started: true }, { seal: true }] as const
    for (const line of lines) {
      const { bytes: _, crc: __, ...read } = Line.decode(bare(line)) as Line.Line & { bytes: unknown; crc: unknown }
      assert.deepStrictEqual(read, line)
    }
  })

  it("that was cut anywhere is torn", () => {
    const whole = bare(commit)
    for (let length = 0; length < whole.length; length++) {
      assert.strictEqual(Line.decode(whole.subarray(0, length)), "torn", String(length))
      assert.isTrue(Line.begins(whole.subarray(0, length)))
    }
  })

  it("is never taken for good when a bit of it is flipped", () => {
    const whole = bare(commit)
    for (let at = 0; at < whole.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const bytes = whole.slice()
        bytes[at]! ^= 1 << bit
        const read = Line.decode(bytes)
        // A length that grew looks as if the line had been cut.
        if (read !== "damaged") assert.strictEqual(read, "torn", `${at}.${bit}`)
        if (at >= 40) assert.strictEqual(read, "damaged", `${at}.${bit}`)
      }
    }
  })

  it("is damaged when something follows it, or when it is something else", () => {
    assert.strictEqual(Line.decode(Buffer.concat([bare(commit), Buffer.from(" ")])), "damaged")
    for (
      const other of ["\0\0\0", "{}", "{\"a\":1}", "hello", "{\"crc\":\"0000000G", "{\"crc\":\"00000000\",\"bytes\":,"]
    ) {
      assert.strictEqual(Line.decode(Buffer.from(other)), "damaged", other)
      assert.isFalse(Line.begins(Buffer.from(other)), other)
    }
    const body = "\"id\":oops}"
    const head = `{"crc":"${reference(body).toString(16).padStart(8, "0")}","bytes":${body.length},`
    assert.strictEqual(Line.decode(Buffer.from(head + body)), "damaged")
  })
})

describe("a tail", () => {
  it("gives the same lines however the file is read", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = numbers(seed)
      const lengths = Array.from({ length: 60 }, () => random(10) === 0 ? random(900_000) : random(100))
      const lines = lengths.map((length, i) => String.fromCharCode(97 + i % 26).repeat(length))
      const file = Buffer.from(`${lines.join("\n")}\nrest`)
      const tail = Tail.make()
      const seen: Array<string> = []
      for (let at = 0; at < file.length;) {
        const room = tail.room()
        assert.isAbove(room.length, 0)
        const bytes = Math.min(room.length, file.length - at, 1 + random(400_000))
        room.set(file.subarray(at, at + bytes))
        tail.fill(bytes)
        at += bytes
        for (let line = tail.next(); line !== undefined; line = tail.next()) seen.push(text(line))
      }
      assert.isTrue(seen.length === lines.length && seen.every((line, i) => line === lines[i]), `seed ${seed}`)
      assert.strictEqual(text(tail.rest()), "rest")
    }
  })

  it("takes a long line in no more than a few times its length", () => {
    const tail = Tail.make()
    let copied = 0
    let buffer: ArrayBufferLike | undefined
    for (let read = 0; read < 64 * 1024 * 1024;) {
      const room = tail.room()
      if (room.buffer !== buffer) copied += read
      buffer = room.buffer
      const bytes = Math.min(room.length, 256 * 1024)
      tail.fill(bytes)
      read += bytes
      assert.isUndefined(tail.next())
    }
    assert.isBelow(copied, 2 * 64 * 1024 * 1024)
  })
})
