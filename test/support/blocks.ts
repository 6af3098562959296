import * as Fs from "node:fs"
import * as Path from "node:path"

/** A piece of code that the documentation shows. */
export interface Block {
  /** Where it stands, as `file:line`. */
  readonly place: string
  readonly code: string
}

/** The TypeScript blocks of the README, and those in the docstrings of all public modules. */
export const blocks = (): ReadonlyArray<Block> => {
  const modules = Fs.globSync("src/{*,testing/*}.ts").toSorted()
  return ["README.md", ...modules].flatMap(blocksOf)
}

const blocksOf = (file: string): ReadonlyArray<Block> => {
  const found: Array<Block> = []
  let open: { readonly line: number; readonly code: Array<string> } | undefined
  Fs.readFileSync(file, "utf8").split("\n").forEach((raw, i) => {
    const line = file.endsWith(".md") ? raw : raw.replace(/^ ?\* ?/, "")
    if (open === undefined) {
      if (line.trim() === "```ts") open = { line: i + 1, code: [] }
    } else if (line.trim() === "```") {
      found.push({ place: `${file}:${open.line}`, code: `${open.code.join("\n")}\n` })
      open = undefined
    } else {
      open.code.push(line)
    }
  })
  return found
}

/** What the block says that it prints: a comment `// => value` behind a `console.log`. */
export const promises = (block: Block): ReadonlyArray<string> =>
  [...block.code.matchAll(/console\.log\(.*\/\/ => (.*)$/gm)].map((match) => match[1]!)

/** Writes all blocks as programs of their own into a fresh directory, where `effect-scoped` resolves to the sources. */
export const write = (directory: string, all: ReadonlyArray<Block>): ReadonlyArray<string> => {
  Fs.rmSync(directory, { recursive: true, force: true })
  Fs.mkdirSync(directory, { recursive: true })
  Fs.writeFileSync(
    Path.join(directory, "tsconfig.json"),
    JSON.stringify({
      extends: Path.relative(directory, "tsconfig.json"),
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ["*.ts"]
    })
  )
  return all.map(({ code, place }) => {
    const file = Path.join(directory, `${place.replace(/[^\w.]+/g, "-").replace(/\.(ts|md)/, "")}.ts`)
    Fs.writeFileSync(file, `${code}export {}\n`)
    return file
  })
}
