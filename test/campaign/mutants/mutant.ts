import * as Fs from "node:fs"
import * as Path from "node:path"
import type { simulations } from "../workload.ts"

/** What finds a mutant: seeded runs of a simulation, or the tests of a file, perhaps only those of a name. */
export type Killer =
  | { readonly simulation: keyof typeof simulations }
  | { readonly test: string; readonly named?: string }

/** A way to break the library on purpose: texts that are replaced in a file, each of which stands there once. */
export interface Mutant {
  readonly name: string
  readonly file: string
  readonly edits: ReadonlyArray<readonly [find: string, replace: string]>
  /** The cheapest first. One of them must find it. */
  readonly killers: ReadonlyArray<Killer>
}

/** The file of a mutant, broken; or what is wrong with the mutant itself. */
export const broken = ({ edits, file, killers, name }: Mutant, root: string): { readonly text: string } | string => {
  const path = Path.join(root, file)
  if (!Fs.existsSync(path)) return `${name}: there is no ${file}`
  let text = Fs.readFileSync(path, "utf8")
  for (const [find, replace] of edits) {
    const count = text.split(find).length - 1
    if (count !== 1) return `${name}: ${file} has ${JSON.stringify(find)} ${count} times`
    text = text.replace(find, () => replace)
  }
  for (const killer of killers) {
    if (!("test" in killer)) continue
    const test = Path.join(root, killer.test)
    if (!Fs.existsSync(test)) return `${name}: there is no ${killer.test}`
    if (killer.named !== undefined && !Fs.readFileSync(test, "utf8").includes(killer.named)) {
      return `${name}: ${killer.test} has no test that says ${JSON.stringify(killer.named)}`
    }
  }
  return killers.length === 0 ? `${name}: nothing is said to find it` : { text }
}
