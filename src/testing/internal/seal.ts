/** What handlers must not reach for: clocks, randomness, timers, and everything that others can see. */
const ambient: ReadonlyArray<readonly [owner: object | undefined, ...names: ReadonlyArray<string>]> = [
  [Math, "random"],
  [globalThis, "setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch"],
  [globalThis.performance, "now"],
  [globalThis.crypto, "getRandomValues", "randomUUID"],
  [globalThis.console, "log", "info", "warn", "error", "debug"]
]

/** Runs something with the world around it taken away: whatever it reaches for throws, and names the scope. */
export const sealed = <A>(scope: string, run: () => A): A => {
  const restore: Array<() => void> = []
  const shut = (owner: object, name: string, value: unknown) => {
    const before = Object.getOwnPropertyDescriptor(owner, name)
    Object.defineProperty(owner, name, { configurable: true, writable: true, value })
    restore.push(() => {
      if (before === undefined) Reflect.deleteProperty(owner, name)
      else Object.defineProperty(owner, name, before)
    })
  }
  const refusal = (what: string) => () => {
    throw new TypeError(
      `The handler of ${
        JSON.stringify(scope)
      } is not pure: it calls ${what}. Take what it gives from outside, before the update`
    )
  }
  try {
    for (const [owner, ...names] of ambient) {
      for (const name of names) {
        if (owner !== undefined && name in owner) shut(owner, name, refusal(name))
      }
    }
    const now = refusal("the clock")
    shut(
      globalThis,
      "Date",
      new Proxy(Date, {
        construct: (target, args, self) => args.length === 0 ? now() : Reflect.construct(target, args, self) as object,
        apply: now,
        get: (target, name, self) => name === "now" ? now : Reflect.get(target, name, self) as unknown
      })
    )
    return run()
  } finally {
    for (const undo of restore.toReversed()) undo()
  }
}
