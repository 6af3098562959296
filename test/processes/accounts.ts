/** Twenty accounts, each of which remembers the transfers that touched it. */
import { Schema } from "effect"
import { Scoped } from "effect-scoped"

const Account = Schema.Struct({
  balance: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
  transfers: Schema.Array(Schema.String)
})

export const Accounts = Scoped.family("account", {
  key: Schema.String,
  schema: Account,
  initial: { balance: 100, transfers: [] }
})

export const names = Array.from({ length: 20 }, (_, i) => `${i}`)

export const Bank = Scoped.all(names.map(Accounts))

export const total = 100 * names.length
