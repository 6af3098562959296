/** The other half of the small campaign: what takes a long silence, a strange option or a failover to go wrong. */
import { seeds } from "./seeds.ts"

seeds({ forgetful: 3_000, corners: 4_000, failovers: 3_300 })
