/**
 * Runs a function with the world shut out: clocks, randomness, timers, microtasks, the console, `process`, the network
 * and running Effects throw a `TypeError` that names what was called and the scope. Also where the function catches it:
 * then it is thrown at the end.
 *
 * What the function kept from before, such as `const { now } = Date`, and what it imports from a runtime's modules by
 * name cannot be shut out.
 */
export const sealed = <A>(scope: string, run: () => A): A => {
  const outer = seal
  const inner: Seal = seal = { scope, broken: undefined }
  let open: (() => void) | undefined
  try {
    if (outer === undefined) open = shut()
    return run()
  } finally {
    open?.()
    seal = outer
    // oxlint-disable-next-line no-unsafe-finally -- whatever the function made of it
    if (inner.broken !== undefined) throw inner.broken
  }
}

interface Seal {
  readonly scope: string
  broken: TypeError | undefined
}

let seal: Seal | undefined

const breach = (what: string): never => {
  const { scope } = seal!
  const error = new TypeError(
    `The handler of "${scope}" used ${what}. Handlers are pure: hand in what it needs as an argument, and do the rest with what it returns`
  )
  seal!.broken ??= error
  throw error
}

interface Door {
  readonly owner: object
  readonly key: string
  readonly shut: PropertyDescriptor
}

/** Shuts the world and gives back what opens it again. */
const shut = (): () => void => {
  world ??= survey()
  if (clock?.owner !== globalThis.Date) clock = surveyClock(globalThis.Date)
  const doors = [...world, ...clock.doors, fiberDoor()]
  const were: Array<PropertyDescriptor | undefined> = []
  const open = (): void => {
    for (let i = were.length - 1; i >= 0; i--) {
      const { key, owner, shut } = doors[i]!
      const was = were[i]
      if (was === undefined) Reflect.deleteProperty(owner, key)
      else if (canAssign(was, shut)) assign(owner, key, was.value)
      else Reflect.defineProperty(owner, key, was)
    }
  }
  // With too little stack left to open it again, the world is not shut.
  headroom(32)
  for (const { key, owner, shut } of doors) {
    const was = Object.getOwnPropertyDescriptor(owner, key)
    were.push(was)
    if (canAssign(was, shut)) assign(owner, key, shut.value)
    else Reflect.defineProperty(owner, key, { ...shut, configurable: true })
  }
  return open
}

// An assignment takes a tenth of the time of a definition. What a hardened runtime does not let change stays open.
const canAssign = (was: PropertyDescriptor | undefined, shut: PropertyDescriptor): boolean =>
  was?.writable === true && "value" in shut

const assign = (owner: object, key: string, value: unknown): void => {
  ;(owner as { [key: string]: unknown })[key] = value
}

const headroom = (frames: number): number => frames === 0 ? 0 : headroom(frames - 1) + 1

let world: ReadonlyArray<Door> | undefined
let clock: { readonly owner: DateConstructor; readonly doors: ReadonlyArray<Door> } | undefined

/** Finds every door to the world. */
const survey = (): ReadonlyArray<Door> => {
  const doors: Array<Door> = []
  const find = (from: unknown, keys: ReadonlyArray<string>, shut: (key: string) => PropertyDescriptor): void => {
    for (const key of keys) {
      const owner = ownerOf(from, key)
      if (owner !== undefined) doors.push({ owner, key, shut: shut(key) })
    }
  }
  const call = (prefix: string) => (key: string) => method(`${prefix}${key}()`)
  const touch = (prefix: string) => (key: string) => ({ get: () => breach(`${prefix}${key}`) })
  find(Math, ["random"], call("Math."))
  find(Promise.prototype, ["then"], () => method("a promise"))
  find(globalThis, functions, call(""))
  find(globalThis, classes, touch(""))
  find(globalThis.performance, ["now", "mark", "measure"], call("performance."))
  find(globalThis.crypto, ["getRandomValues", "randomUUID"], call("crypto."))
  find(globalThis.crypto, ["subtle"], touch("crypto."))
  find(globalThis.console, Object.keys(globalThis.console), call("console."))
  if (typeof process === "object") {
    find(process, ofProcess, call("process."))
    find(process, ["stdin", "stdout", "stderr"], touch("process."))
    find(process.getBuiltinModule?.("node:crypto"), ofNodeCrypto, call("crypto."))
  }
  return doors
}

const words = (list: string): ReadonlyArray<string> => list.split(" ")

const functions = words(
  "fetch queueMicrotask setTimeout setInterval setImmediate clearTimeout clearInterval clearImmediate " +
    "requestAnimationFrame requestIdleCallback postMessage alert prompt confirm"
)

const classes = words(
  "XMLHttpRequest WebSocket EventSource BroadcastChannel MessageChannel Worker"
)

const ofProcess = words(
  "nextTick hrtime uptime cpuUsage resourceUsage memoryUsage exit abort kill chdir emitWarning emit " +
    "send on once addListener"
)

const ofNodeCrypto = words(
  "randomBytes randomFill randomFillSync randomInt randomUUID generateKeyPairSync generateKeySync " +
    "pseudoRandomBytes"
)

const ownerOf = (from: unknown, key: string): object | undefined => {
  for (let at = from; typeof at === "object" && at !== null; at = Object.getPrototypeOf(at)) {
    if (Object.hasOwn(at, key)) return at
  }
  return undefined
}

// Some, such as process.hrtime, have methods of their own.
const method = (what: string): PropertyDescriptor => ({
  value: new Proxy(() => undefined, { apply: () => breach(what), get: () => breach(what) }),
  writable: true
})

/** Shuts a `Date`, which stays as it is except that it does not know the time. Tests replace it now and then. */
const surveyClock = (owner: DateConstructor) => {
  const timeless: DateConstructor = new Proxy(owner, {
    apply: () => breach("Date()"),
    construct: (target, args, newTarget): object =>
      args.length === 0
        ? breach("new Date()")
        : Reflect.construct(target, args, newTarget === timeless ? target : newTarget)
  })
  const shut = { value: timeless, writable: true }
  return {
    owner,
    doors: [
      { owner, key: "now", shut: method("Date.now()") },
      { owner: owner.prototype, key: "constructor", shut },
      { owner: globalThis, key: "Date", shut }
    ]
  }
}

// A fiber makes itself known here whenever it begins to run, in every way of running Effects.
const currentFiber = "~effect/Fiber/currentFiber"

const fiberDoor = (): Door => {
  const running: unknown = Reflect.get(globalThis, currentFiber)
  return {
    owner: globalThis,
    key: currentFiber,
    shut: { get: () => running, set: () => breach("a running Effect") }
  }
}
