/**
 * @since 0.1.0
 */
export * as Faults from "./Faults.ts"
export * as Linearizability from "./Linearizability.ts"
export * as Purity from "./Purity.ts"
export * as Simulation from "./Simulation.ts"
