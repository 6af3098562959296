/** A small campaign; `campaign.far.test.ts` is the other half. `npm run campaign` runs as many as one likes. */
import { seeds } from "./seeds.ts"

seeds({ calls: 8_000, watchers: 1_000, crowds: 700 })
