import { Effect, Schema, SchemaGetter } from "effect"

export class Owner extends Schema.Class<Owner>("Owner")({ name: Schema.String, tags: Schema.Array(Schema.String) }) {}

interface Tree {
  readonly value: number
  readonly children: ReadonlyArray<Tree>
}
const Tree = Schema.Struct({
  value: Schema.Finite,
  children: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
})

const Line = Schema.Struct({
  id: Schema.String,
  amount: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
  note: Schema.NullOr(Schema.String),
  paid: Schema.optionalKey(Schema.Boolean)
})

/** Under these a state and its JSON are the same. */
export const plain: { readonly [name: string]: Schema.Codec<unknown, unknown> } = {
  counter: Schema.Struct({ count: Schema.Int }),
  cart: Schema.Struct({ lines: Schema.Array(Line), total: Schema.Number }),
  records: Schema.Record(Schema.String, Schema.Struct({ n: Schema.Int, of: Schema.Record(Schema.String, Schema.Int) })),
  tuple: Schema.Tuple([Schema.String, Schema.optionalKey(Schema.Int)]),
  tupleWithRest: Schema.TupleWithRest(Schema.Tuple([Schema.String, Schema.Finite]), [Schema.NullOr(Schema.String)]),
  tagged: Schema.Array(Schema.Union([
    Schema.TaggedStruct("circle", { radius: Schema.Finite }),
    Schema.TaggedStruct("box", { sides: Schema.Array(Schema.Finite), name: Schema.optionalKey(Schema.String) })
  ])),
  mixed: Schema.Array(
    Schema.Union([
      Schema.String,
      Schema.Finite,
      Schema.Boolean,
      Schema.Null,
      Schema.Array(Schema.Int),
      Schema.Struct({ a: Schema.Int })
    ])
  ),
  literals: Schema.Array(Schema.Literals(["a", "b", 1, true])),
  optional: Schema.Struct({ a: Schema.optional(Schema.String), b: Schema.optionalKey(Schema.Int) }),
  branded: Schema.Array(Schema.String.check(Schema.isMaxLength(3)).pipe(Schema.brand("Short"))),
  template: Schema.Array(Schema.TemplateLiteral(["id-", Schema.Int])),
  tree: Tree,
  json: Schema.Json,
  unknown: Schema.Struct({ any: Schema.Unknown }),
  sum: Schema.Struct({ parts: Schema.Array(Schema.Int) }).check(
    Schema.makeFilter(({ parts }) => parts.reduce((sum, part) => sum + part, 0) % 7 !== 3)
  ),
  unique: Schema.Array(Schema.Int).check(Schema.isMaxLength(6), Schema.isUnique()),
  numbers: Schema.Array(Schema.Number),
  numbersOrText: Schema.Array(Schema.Union([Schema.Number, Schema.String]))
}

/** Under these they are not. */
export const others: { readonly [name: string]: Schema.Codec<unknown, unknown> } = {
  date: Schema.Struct({ at: Schema.Date, n: Schema.Int }),
  map: Schema.ReadonlyMap(Schema.String, Schema.Struct({ n: Schema.Int })),
  set: Schema.ReadonlySet(Schema.Int),
  option: Schema.Struct({ o: Schema.Option(Schema.Struct({ n: Schema.Int })) }),
  result: Schema.Result(Schema.Struct({ n: Schema.Int }), Schema.String),
  chunk: Schema.Chunk(Schema.Struct({ n: Schema.Int })),
  hashMap: Schema.HashMap(Schema.String, Schema.Struct({ n: Schema.Int })),
  hashSet: Schema.HashSet(Schema.String),
  duration: Schema.Duration,
  utc: Schema.DateTimeUtc,
  zoned: Schema.DateTimeZoned,
  bigint: Schema.Struct({ n: Schema.BigInt, m: Schema.Array(Schema.BigInt) }),
  decimal: Schema.BigDecimal,
  bytes: Schema.Struct({ bytes: Schema.Uint8Array, n: Schema.Int }),
  url: Schema.URL,
  redacted: Schema.Redacted(Schema.String),
  owner: Schema.Struct({ owner: Owner, n: Schema.Int }),
  defaults: Schema.Struct({
    n: Schema.Int,
    tags: Schema.Array(Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))
  }),
  overlapping: Schema.Union([
    Schema.Struct({ a: Schema.Int }),
    Schema.Struct({ a: Schema.Int, b: Schema.Int })
  ]),
  nullish: Schema.Struct({ a: Schema.NullishOr(Schema.Int) }),
  numberFromText: Schema.Struct({
    n: Schema.String.pipe(Schema.decodeTo(Schema.Finite, {
      decode: SchemaGetter.transform((text: string) => Number(text)),
      encode: SchemaGetter.transform((n: number) => String(n))
    }))
  }),
  rest: Schema.StructWithRest(Schema.Struct({ a: Schema.Int }), [Schema.Record(Schema.String, Schema.Int)]),
  templateKeys: Schema.Record(Schema.TemplateLiteral(["k", Schema.Int]), Schema.Int)
}

export const all = { ...plain, ...others }
