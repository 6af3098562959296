/** Sets an own property, also one that is called `__proto__`. */
export const assign = (to: object, key: string, value: unknown): void => {
  if (key === "__proto__") {
    Object.defineProperty(to, key, { value, enumerable: true, configurable: true, writable: true })
  } else (to as { [key: string]: unknown })[key] = value
}
