/**
 * @since 0.1.0
 */
export * as Driver from "./Driver.ts"
export * as FileDriver from "./FileDriver.ts"
export * as MemoryDriver from "./MemoryDriver.ts"
export * as Scoped from "./Scoped.ts"
export * as ScopedError from "./ScopedError.ts"
export * as Storage from "./Storage.ts"
