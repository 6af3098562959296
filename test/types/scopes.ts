/** The scopes that the programs of this directory are about. */
import { Data, Schema } from "effect"
import type { BigDecimal, Chunk, DateTime, Duration, Effect, HashMap, HashSet, Option, Redacted, Result } from "effect"
import { Scoped, type ScopedError, type Storage } from "effect-scoped"

export declare const expect: <Expected>() => <Actual>(
  actual: Actual & ([Actual] extends [Expected] ? [Expected] extends [Actual] ? unknown : never : never)
) => void

export type Updated<A, E = never> = Effect.Effect<A, E | ScopedError.ScopedError, Storage.Storage>

export interface Item {
  readonly id: string
  readonly price: number
  readonly tags: ReadonlyArray<string>
}

export class Owner extends Schema.Class<Owner>("Owner")({ name: Schema.String }) {
  greeting() {
    return `Hello, ${this.name}`
  }
}

export class Money {
  readonly cents: number
  constructor(cents: number) {
    this.cents = cents
  }
  plus(other: Money) {
    return new Money(this.cents + other.cents)
  }
}

export class Point extends Data.Class<{ readonly x: number; readonly y: number }> {}

export class TooMany extends Data.TaggedError("TooMany")<{ readonly limit: number }> {}

export class TooFew extends Schema.TaggedError<TooFew>()("TooFew", { missing: Schema.Int }) {}

export interface Cart {
  readonly owner: Owner
  readonly items: ReadonlyArray<Item>
  readonly total: Money
  readonly note?: string
}

export interface Tree {
  readonly value: number
  readonly children: ReadonlyArray<Tree>
  readonly byName: ReadonlyMap<string, Tree>
}

export type Json = string | number | boolean | null | ReadonlyArray<Json> | { readonly [key: string]: Json }

export type Job =
  | { readonly _tag: "Waiting"; readonly since: number }
  | { readonly _tag: "Running"; readonly worker: string; readonly attempt: number }
  | { readonly _tag: "Done"; readonly result?: string }

export interface Effects {
  readonly option: Option.Option<number>
  readonly result: Result.Result<number, string>
  readonly chunk: Chunk.Chunk<number>
  readonly table: HashMap.HashMap<string, Item>
  readonly set: HashSet.HashSet<string>
  readonly secret: Redacted.Redacted<string>
  readonly lasts: Duration.Duration
  readonly at: DateTime.Utc
  readonly zoned: DateTime.Zoned
  readonly amount: BigDecimal.BigDecimal
}

export declare const count: Scoped.Scoped<{ readonly count: number }>
export declare const int: Scoped.Scoped<number>
export declare const lamp: Scoped.Scoped<"on" | "off">
export declare const numbers: Scoped.Scoped<ReadonlyArray<number>>
export declare const mutable: Scoped.Scoped<{ list: Array<number>; pair: [number, string]; nested: Array<Array<Item>> }>
export declare const pair: Scoped.Scoped<readonly [number, string]>
export declare const cart: Scoped.Scoped<Cart>
export declare const tree: Scoped.Scoped<Tree>
export declare const json: Scoped.Scoped<Json>
export declare const job: Scoped.Scoped<Job>
export declare const maybe: Scoped.Scoped<Item | null>
export declare const settings: Scoped.Scoped<{ readonly theme?: "dark" | "light"; readonly size?: number | undefined }>
export declare const dictionary: Scoped.Scoped<{ readonly [word: string]: number }>
export declare const places: Scoped.Scoped<ReadonlyMap<string, Item>>
export declare const names: Scoped.Scoped<ReadonlySet<string>>
export declare const effects: Scoped.Scoped<Effects>
export declare const owner: Scoped.Scoped<Owner>
export declare const bytes: Scoped.Scoped<{ readonly bytes: Uint8Array; readonly date: Date; readonly big: bigint }>
export declare const opaque: Scoped.Scoped<{ readonly known: string; readonly anything: unknown }>
// oxlint-disable-next-line typescript/no-explicit-any
export declare const loose: Scoped.Scoped<{ readonly known: string; readonly anything: any }>

export const Users = Scoped.family("users", {
  key: Schema.String,
  schema: Schema.Struct({ name: Schema.String, visits: Schema.Int, role: Schema.Literals(["admin", "guest"]) }),
  initial: { name: "", visits: 0, role: "guest" }
})
