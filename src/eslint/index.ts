/**
 * A lint rule for handlers, for ESLint 9 and for oxlint.
 *
 * `pure-handlers` reports what types cannot see in a handler: clocks, randomness, the console, I/O, timers, running
 * Effects, and mutation of what was there before. It looks at functions given to `Scoped.update` and
 * `Scoped.updateResult`, in place or by the name of a function of the same file, and at those typed as `Scoped.Handler`.
 * What a handler calls elsewhere it does not follow: `purity: "verify"` does.
 *
 * In `eslint.config.js`:
 *
 * ```js
 * import scoped from "effect-scoped/eslint"
 *
 * export default [scoped.configs.recommended]
 * ```
 *
 * In `.oxlintrc.json`:
 *
 * ```json
 * { "jsPlugins": ["effect-scoped/eslint"], "rules": { "effect-scoped/pure-handlers": "error" } }
 * ```
 *
 * @since 0.1.0
 */
import { type Rule, rule } from "./rule.ts"

interface Plugin {
  readonly meta: { readonly name: string }
  readonly rules: { readonly "pure-handlers": Rule }
  readonly configs: {
    readonly recommended: {
      readonly name: string
      readonly plugins: { readonly [name: string]: Plugin }
      readonly rules: { readonly "effect-scoped/pure-handlers": "error" }
    }
  }
}

const plugin: Plugin = {
  meta: { name: "effect-scoped" },
  rules: { "pure-handlers": rule },
  configs: {
    recommended: {
      name: "effect-scoped/recommended",
      get plugins() {
        return { "effect-scoped": plugin }
      },
      rules: { "effect-scoped/pure-handlers": "error" }
    }
  }
}

export default plugin
