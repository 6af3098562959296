/**
 * Lists names: asks each primary in turn, page by page.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { DriverError } from "../../ScopedError.ts"
import * as Fault from "./fault.ts"
import type { Node } from "./node.ts"
import type { Read } from "./read.ts"
import type { Router } from "./router.ts"

/** How many keys a server looks at for one page. */
const pageSize = "1000"

/**
 * How many names are remembered so that none is given twice.
 *
 * A server gives a key again only when its table has shrunk meanwhile, and then one that it gave a moment ago: the
 * parts of a table that become one are gone through one after the other.
 */
const maxRemembered = 20_000

/** A name as a part of a pattern that stands for itself. */
const literal = (text: string): string => text.replace(/[\\*?[\]]/g, "\\$&")

class Recent {
  private older = new Set<string>()
  private newer = new Set<string>()

  /** Whether it is new. */
  add(name: string): boolean {
    if (this.newer.has(name) || this.older.has(name)) return false
    this.newer.add(name)
    if (this.newer.size >= maxRemembered / 2) {
      this.older = this.newer
      this.newer = new Set()
    }
    return true
  }
}

export const make = (env: {
  readonly router: Router
  readonly read: Read
  readonly prefix: string
  readonly millis: number
}) =>
(prefix: string): Stream.Stream<string, DriverError> => {
  const { millis, router } = env
  const pattern = `${literal(env.prefix + prefix)}*`

  const page = Effect.fnUntraced(function*(node: Node, cursor: string, has: (slot: number) => boolean) {
    // A connection that was lost is waited for, but a page is not asked for again: the cursor may mean nothing to the
    // server that answers now.
    const down = yield* node.ready(millis)
    if (down !== undefined) return yield* Effect.fail(down)
    const [reply] = yield* node.exec(
      [["scan", cursor, "MATCH", pattern, "COUNT", pageSize, "TYPE", "string"]],
      millis
    )
    if (reply!._tag === "Fault") return yield* Effect.fail(reply!)
    const [next, found] = reply!.value as readonly [string, ReadonlyArray<string>]
    const keys = found.filter((key) => has(router.slotOf(key)))
    const outlines = keys.length === 0 ? [] : yield* env.read.outlines(keys)
    const fault = outlines.find((outline) => Fault.isFault(outline) && outline.reason !== "Corrupt")
    if (Fault.isFault(fault)) return yield* Effect.fail(fault)
    // A tombstone has no data, and a key that is no scope has nothing to tell.
    const present = keys.filter((_, i) => {
      const outline = outlines[i]!
      return outline !== null && !Fault.isFault(outline) && outline[1] !== undefined
    })
    return [present, next] as const
  })

  const scan = ({ has, node }: { readonly node: Node; readonly has: (slot: number) => boolean }) => {
    const recent = new Recent()
    return Stream.paginate("0", (cursor) =>
      Effect.map(page(node, cursor, has), ([keys, next]) => {
        const names = keys.map((key) => key.slice(env.prefix.length)).filter((name) => recent.add(name))
        return [names, next === "0" ? Option.none() : Option.some(next)] as const
      }))
  }

  return Stream.unwrap(
    Effect.map(router.primaries(millis), (primaries) => Stream.flatMap(Stream.fromIterable(primaries), scan))
  ).pipe(Stream.mapError((fault) => Fault.toDriverError(fault, "names")))
}
