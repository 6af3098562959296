/**
 * Breaks a copy of the library in each of the ways of `mutants/`, and shows what finds it, and how soon.
 *
 * `npm run campaign:mutants -- --runs 3000 --only "mark" --check`
 *
 * - `--check`: only looks whether each text that is to be replaced is there, once.
 * - `--only`: those whose names contain it.
 * - `--runs`, `--seconds`: what a simulation may take to find one.
 *
 * Ends with 1 when one survives, cannot be made any more, or when its tests fail where nothing is broken.
 */
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { parseArgs } from "node:util"
import { mutants } from "./mutants/index.ts"
import { broken, type Killer } from "./mutants/mutant.ts"

const { values } = parseArgs({
  options: {
    check: { type: "boolean", default: false },
    runs: { type: "string", default: "10000" },
    only: { type: "string" },
    seconds: { type: "string", default: "120" }
  }
})

const home = process.cwd()
const chosen = mutants.filter(({ name }) => name.includes(values.only ?? ""))
let bad = 0
const unending = "it does not come to an end"
const known = new Map<string, boolean>()

for (const mutant of chosen) {
  const made = broken(mutant, home)
  if (typeof made !== "string") continue
  bad++
  console.log(`GONE      ${made}`)
}
console.log(`${chosen.length - bad} of ${chosen.length} mutants can be made`)

const root = values.check ? home : Fs.mkdtempSync(Path.join(Os.tmpdir(), "mutant-"))
if (!values.check) {
  try {
    for (const part of ["src", "test", "package.json", "tsconfig.json", "vitest.config.ts"]) {
      Fs.cpSync(Path.join(home, part), Path.join(root, part), { recursive: true })
    }
    for (const part of ["node_modules", ".cache"]) {
      if (Fs.existsSync(Path.join(home, part))) Fs.symlinkSync(Path.join(home, part), Path.join(root, part))
    }
    table()
  } finally {
    Fs.rmSync(root, { recursive: true, force: true })
  }
}
process.exitCode = bad === 0 ? 0 : 1

function table() {
  console.log("\n| mutant | killed by | after |\n| --- | --- | --- |")
  for (const mutant of chosen) {
    const made = broken(mutant, home)
    if (typeof made === "string") continue
    const path = Path.join(root, mutant.file)
    Fs.writeFileSync(path, made.text)
    const found = findBy(mutant.killers)
    Fs.copyFileSync(Path.join(home, mutant.file), path)
    const sick = found !== undefined && "test" in found.killer && !isHealthy(found.killer.test, found.what)
    if (found === undefined || sick) bad++
    const how = found === undefined ? "SURVIVES" : sick ? `${text(found.killer)} FAILS ANYWAY` : text(found.killer)
    console.log(
      `| ${mutant.name} | ${how} | ${(found?.after ?? mutant.killers.map(text).join(", ")).replaceAll("|", "/")} |`
    )
  }
}

/** The first that finds what is broken now. */
function findBy(killers: ReadonlyArray<Killer>) {
  for (const killer of killers) {
    const start = performance.now()
    const found = attempt(killer)
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    if (found !== undefined) return { killer, what: found, after: `${found}, ${seconds} s` }
  }
  return undefined
}

/** What a killer finds, if anything. */
function attempt(killer: Killer): string | undefined {
  if ("test" in killer) {
    const named = killer.named === undefined ? [] : ["-t", literally(killer.named)]
    const { output, status } = run(["node_modules/vitest/vitest.mjs", "run", killer.test, "--bail=1", ...named])
    if (status === 0) return undefined
    return /FAIL +.*? > (.*)/.exec(output)?.[1]?.trim() ?? unending
  }
  const { output, status } = run([
    "--conditions=effect-scoped-source",
    "test/campaign/campaign.ts",
    `--only=${killer.simulation}`,
    `--runs=${values.runs}`,
    `--minutes=${Number(values.seconds) / 60}`,
    "--seed=1",
    "--faults=1",
    "--attempts=0",
    "--workers=1"
  ])
  return status === 0 ? undefined : /Seed \d+ fails \(\w+\)/.exec(output)?.[0] ?? unending
}

function run(args: ReadonlyArray<string>) {
  const { status, stderr, stdout } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
    timeout: 2_000 * Number(values.seconds),
    maxBuffer: 64 * 1024 * 1024
  })
  return { status, output: stdout + stderr }
}

/** Whether the test that failed passes where nothing is broken: else its failing would say nothing. */
function isHealthy(test: string, what: string): boolean {
  const named = what === unending ? undefined : what.split(" > ").at(-1)!
  const key = `${test} ${named}`
  let healthy = known.get(key)
  if (healthy === undefined) {
    known.set(key, healthy = attempt({ test, ...named !== undefined && { named } }) === undefined)
  }
  return healthy
}

/** As a pattern. */
function literally(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
}

function text(killer: Killer): string {
  return "test" in killer ? Path.basename(killer.test) : killer.simulation
}
