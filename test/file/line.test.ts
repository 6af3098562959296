import { assert, describe, it } from "@effect/vitest"
import { crc32 as reference } from "node:zlib"
import { crc32, crc32OfText } from "../../src/internal/file/crc32.ts"
import * as Line from "../../src/internal/file/line.ts"
import * as Tail from "../../src/internal/file/tail.ts"
import { numbers } from "./seeded.ts"

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** Without the newlines around it. */
const bare = (line: Line.Line, states: ReadonlyArray<Uint8Array> = []): Uint8Array =>
  Line.encode(line, states).slice(1, -1)

const states = ["{\"a\":\"\\né\"}", "[]"].map(Line.encodeState)

const commit: Line.Commit = {
  id: "writer:1a",
  at: 1_700_000_000_000,
  wall: 1_600_000_000_000,
  synced: 12_345,
  tx: [
    ["é\n\u2028😀\0\"", null, "r:1", states[0]!.length, reference(states[0]!)],
    ["gone", "r:0", "r:2", 0, 0, null, 99],
    ["check", "r:3"],
    ["last", null, "r:4", states[1]!.length, reference(states[1]!), 5, null]
  ]
}

const part = (name: string, text: string): Line.Part => {
  const { crc, size } = Line.measure(text)
  return [name, null, "r:1", size, crc]
}

describe("crc32", () => {
  it("is that of zlib", () => {
    const random = numbers(1)
    for (let length = 0; length < 300; length++) {
      const bytes = Uint8Array.from({ length }, () => random(256))
      assert.strictEqual(crc32(bytes), reference(bytes))
      assert.strictEqual(crc32(bytes, length >> 1), reference(bytes.subarray(length >> 1)))
      const plain = String.fromCharCode(...bytes.map((byte) => byte & 127))
      assert.strictEqual(crc32OfText(plain), reference(plain))
      assert.isUndefined(crc32OfText(`${plain}é`))
    }
  })
})

describe("lines", () => {
  const texts = ["{\"a\":\"\\né\"}", "[]", "\"😀\u2028\"", "0"].map(Line.stateText)
  const commits = [[], texts.slice(0, 1), texts].map((states, i) => ({
    states,
    line: { ...commit, id: `writer:${i}`, tx: states.map((text, k) => part(`${k}`, text)) } satisfies Line.Commit
  }))

  it("are the same at once as one by one", () => {
    const lines = new Line.Lines()
    for (const { line, states } of commits) {
      lines.add(line, states, states.reduce((size, text) => size + Line.measure(text).size, 0))
    }
    const each = commits.map(({ line, states }) =>
      Line.encode(line, states.map((text) => new TextEncoder().encode(text)))
    )
    assert.deepStrictEqual(Buffer.from(lines.encode()!), Buffer.concat(each))
    let end = 0
    assert.deepStrictEqual(lines.ends, each.map(({ length }) => end += length))
    for (const bytes of each) assert.isObject(Line.decode(bytes.slice(1, -1)))
  })

  it("are not where a name takes more bytes than it has characters", () => {
    const lines = new Line.Lines()
    lines.add({ ...commit, tx: [["é", null]] }, [], 0)
    assert.isUndefined(lines.encode())
  })
})

describe("a line", () => {
  it("is one line of JSON with a checksum", () => {
    const line = text(Line.encode(commit, states))
    assert.match(line, /^\n\{"crc":"[0-9a-f]{8}","size":\[\d+,\d+\],"id":"writer:1a",[^\n]*\}\n$/)
    const { crc, data, size, ...rest } = JSON.parse(line)
    const bytes = Buffer.from(line.trim())
    const from = bytes.indexOf("\"size\"")
    const end = bytes.indexOf(",\"id\"") + 1 + size[0]
    assert.strictEqual(crc, reference(bytes.subarray(from, end)).toString(16).padStart(8, "0"))
    assert.deepStrictEqual(rest, commit)
    assert.deepStrictEqual(data, ["{\"a\":\"\\né\"}", "[]"])
  })

  it("is read as it was written", () => {
    const lines: ReadonlyArray<readonly [Line.Line, ReadonlyArray<Uint8Array>]> = [
      [commit, states],
      [{ ...commit, tx: commit.tx.slice(1, 3) }, []],
      [{ format: Line.format, journal: 1 }, []],
      [{ format: Line.format, snapshot: 1, at: 1, next: "journal-2" }, []],
      [{ end: true }, []],
      [{ seal: "journal-2" }, []],
      [{ taken: "snapshot-1" }, []]
    ]
    for (const [line, states] of lines) {
      const { crc: _, size: __, ...read } = Line.decode(bare(line, states)) as Line.Line & {
        crc: unknown
        size: unknown
      }
      assert.deepStrictEqual(read, line)
    }
  })

  it("is read as it was written, however many bytes its names take", () => {
    for (const character of ["é", "名", "😀"]) {
      for (let length = 1; length * Buffer.byteLength(character) <= 512; length++) {
        const name = character.repeat(length)
        const { id, synced } = commit
        const removed = { id, at: 1, synced, tx: [[name, "r:1", "r:2", 0, 0]] } satisfies Line.Commit
        assert.deepInclude(Line.decode(bare(removed)), removed, name)
        const claim = { claim: "writer", names: [name] } satisfies Line.Claim
        assert.deepInclude(Line.decode(bare(claim)), claim, name)
        const written = { ...removed, tx: [part(name, "\"{}\"")] }
        assert.deepInclude(Line.decode(bare(written, [Line.encodeState("{}")])), written, name)
      }
    }
  })

  it("tells where its states are", () => {
    const bytes = bare(commit, states)
    const at = Line.statesAt(Line.readHead(bytes) as Line.Head)
    assert.strictEqual(Line.decodeState(bytes.subarray(at, at + states[0]!.length)), "{\"a\":\"\\né\"}")
  })

  it("that was cut anywhere is torn", () => {
    const whole = bare(commit, states)
    for (let length = 0; length < whole.length; length++) {
      assert.strictEqual(Line.decode(whole.subarray(0, length)), "torn", String(length))
      assert.isTrue(Line.begins(whole.subarray(0, length)))
    }
  })

  it("is never taken for good when a bit of it is flipped", () => {
    const whole = bare(commit, states)
    for (let at = 0; at < whole.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const bytes = whole.slice()
        bytes[at]! ^= 1 << bit
        const read = Line.decode(bytes)
        // A size of the meta that grew looks as if the line had been cut.
        if (read !== "damaged") assert.strictEqual(read, "torn", `${at}.${bit}`)
        if (at >= 32) assert.strictEqual(read, "damaged", `${at}.${bit}`)
      }
    }
  })

  it("is damaged when something follows it, or when it is something else", () => {
    assert.strictEqual(Line.decode(Buffer.concat([bare(commit, states), Buffer.from(" ")])), "damaged")
    for (
      const other of ["\0\0\0", "{}", "{\"a\":1}", "hello", "{\"crc\":\"0000000G", "{\"crc\":\"00000000\",\"size\":[,"]
    ) {
      assert.strictEqual(Line.decode(Buffer.from(other)), "damaged", other)
      assert.isFalse(Line.begins(Buffer.from(other)), other)
    }
    const body = "\"size\":[9,0],\"id\":oops"
    const crc = reference(body).toString(16).padStart(8, "0")
    assert.strictEqual(Line.decode(Buffer.from(`{"crc":"${crc}",${body}}`)), "damaged")
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
