import * as Size from "./size.ts"
import type { Extras } from "./unknownKeys.ts"

/** What a walk does with the objects it meets. */
export interface Walk {
  /** UTF-8 bytes of the JSON text of what was taken, less those of what it replaces. */
  bytes: number
  /** From how many bytes on the state is suspicious. */
  readonly limit: number
  /**
   * - `copy`: takes from somebody else's objects, which may have getters or change later: frozen copies.
   * - `adopt`: keeps and freezes them; they come from `JSON.parse` and nobody else has them.
   * - `look`: leaves them alone and runs no checks.
   */
  readonly mode: "copy" | "adopt" | "look"
  /** The keys of what was adopted last that its schema does not know, which it is without. */
  unknown?: Extras | undefined
}

/**
 * Takes a value if it fits: gives it frozen, at any depth, or `refused`.
 *
 * `before` is what the same `Take` gave for the state before, or `none`. Whatever is still the same is not looked at
 * again, and where nothing has changed `before` itself comes back. For a hint to be believed, it must never have been
 * taken by another schema.
 */
export interface Take {
  (next: unknown, before: unknown, walk: Walk): unknown
  /** A copy of what was taken, of as much as could be written to. Absent where nothing can. */
  readonly fresh?: View | undefined
  /** What is stored of what was taken, as a JSON value. Absent where that is itself. */
  readonly json?: View | undefined
}

/** Something else to see in what was taken: itself, where there is no difference. */
export type View = (taken: unknown) => unknown
export type ViewName = "fresh" | "json"

export const refused = Symbol()
export const none = Symbol()

export const withViews = (take: Take, view: (name: ViewName) => View | undefined): Take => {
  const views = { fresh: view("fresh"), json: view("json") }
  return views.fresh === undefined && views.json === undefined
    ? take
    : Object.assign((...[next, before, walk]: Parameters<Take>) => take(next, before, walk), views)
}

/** The bytes of what is stored of something that was taken. */
export const sizeOf = ({ json }: Take, taken: unknown): number => Size.ofJson(json === undefined ? taken : json(taken))

/**
 * Thrown where a state gets so large that it may be much smaller than it looks: one object at many places takes its
 * room once, and its text each time.
 */
export class Suspicious extends Error {}
