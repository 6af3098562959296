/**
 * Breaks a copy of the engine in each of the ways of `mutants.ts`, and shows which simulation finds it, and how soon.
 *
 * `npm run campaign:mutants -- --runs 3000 --only "mark"`
 *
 * Ends with 1 when a mutant survives that has killers, or when a text to be replaced is no more.
 */
import { execFileSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { parseArgs } from "node:util"
import { mutants } from "./mutants.ts"

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "3000" },
    only: { type: "string" },
    seconds: { type: "string", default: "60" }
  }
})

const root = ".cache/mutant"
let bad = 0

const attempt = (simulation: string): string | undefined => {
  try {
    execFileSync(
      process.execPath,
      [
        "--conditions=effect-scoped-source",
        "test/campaign/campaign.ts",
        `--only=${simulation}`,
        `--runs=${values.runs}`,
        `--minutes=${Number(values.seconds) / 60}`,
        "--seed=1",
        "--faults=1",
        "--attempts=0"
      ],
      { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 2_000 * Number(values.seconds) }
    )
    return undefined
  } catch (error) {
    const output = (error as { readonly stdout: string }).stdout
    return /Seed \d+ fails \(\w+\)/.exec(output)?.[0] ?? "it does not come to an end"
  }
}

for (const { file, find, killers, name, replace } of mutants) {
  if (values.only !== undefined && !name.includes(values.only)) continue
  Fs.rmSync(root, { recursive: true, force: true })
  for (const part of ["src", "test/campaign", "package.json"]) {
    Fs.cpSync(part, Path.join(root, part), { recursive: true })
  }
  const path = Path.join(root, file)
  const text = Fs.existsSync(path) ? Fs.readFileSync(path, "utf8") : ""
  if (text.split(find).length !== 2) {
    bad++
    console.log(`GONE      ${name} (${file})`)
    continue
  }
  Fs.writeFileSync(path, text.replace(find, () => replace))
  const found = (killers.length === 0 ? (["calls", "watchers", "forgetful", "crowds"] as const) : killers).map((
    simulation
  ) => [simulation, attempt(simulation)] as const)
  const killed = found.filter(([, how]) => how !== undefined)
  if (killed.length < killers.length) bad++
  console.log(
    `${killed.length === 0 ? "SURVIVES" : "killed  "}  ${name}${
      found.map(([simulation, how]) => `\n            ${simulation}: ${how ?? "not found"}`).join("")
    }`
  )
}
Fs.rmSync(root, { recursive: true, force: true })
process.exitCode = bad === 0 ? 0 : 1
