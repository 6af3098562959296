/** A directory on a disk of its own, which is small. */
import { Effect } from "effect"
import { execFileSync, spawn } from "node:child_process"
import { once as event } from "node:events"
import * as Fs from "node:fs"
import { join } from "node:path"
import { temporaryDirectory } from "../../../servers/server.ts"
import { between, type Fault, type Faults } from "../fault.ts"
import type { Store } from "../store.ts"
import type { Worker } from "../workers.ts"

const nobody = 65534
const isRoot = process.getuid?.() === 0

/** Who is root may write everywhere. */
const under = isRoot ? ["setpriv", `--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups"] : []

/** A small disk, where we may have one. */
const disk = Effect.gen(function*() {
  const root = yield* temporaryDirectory
  Fs.chmodSync(root, 0o755)
  const mounted = yield* Effect.acquireRelease(
    Effect.sync(() => {
      try {
        execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "none", root], { stdio: "ignore" })
        return true
      } catch {
        return false
      }
    }),
    (mounted) =>
      Effect.sync(() => {
        if (mounted) execFileSync("umount", ["-l", root])
      })
  )
  return { root, mounted }
})

const has = (command: string): boolean => {
  try {
    execFileSync(command, ["--version"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
}

/** Makes calls of a running process to the system fail. */
const injected = (pid: number, calls: string, how: string, ...more: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const args = ["-f", "-qq", "-o", "/dev/null", ...more, "-e", `trace=${calls}`, "-e", `inject=${calls}:${how}`]
      return spawn("strace", [...args, "-p", String(pid)], { stdio: "ignore" })
    }),
    (strace) =>
      Effect.promise(async () => {
        const ended = event(strace, "exit")
        if (strace.exitCode === null && strace.signalCode === null && strace.kill("SIGTERM")) await ended
      })
  )

export const store = Effect.gen(function*() {
  const { mounted, root } = yield* disk
  const directory = join(root, "data")
  Fs.mkdirSync(directory, { mode: 0o700 })
  if (isRoot) Fs.chownSync(directory, nobody, nobody)
  const ballast = join(root, "ballast")
  const chmod = (mode: number) =>
    Effect.sync(() => {
      for (const name of Fs.readdirSync(directory)) {
        try {
          Fs.chmodSync(join(directory, name), mode & 0o600)
        } catch {
          // It is gone meanwhile.
        }
      }
      Fs.chmodSync(directory, mode)
    })
  const fill = Effect.sync(() => {
    const file = Fs.openSync(ballast, "w")
    try {
      for (const bytes of [64 * 1024, 4096, 512]) {
        try {
          for (;;) Fs.writeSync(file, new Uint8Array(bytes))
        } catch {
          // It is full.
        }
      }
    } finally {
      Fs.closeSync(file)
    }
  })

  const faulty = (workers: ReadonlyArray<Worker>, calls: string, how: string): Fault => ({
    begin: (random) => {
      const journals = Fs.readdirSync(directory).filter((name) => name.startsWith("journal"))
      return injected(
        random.choice(workers).process().pid!,
        calls,
        how,
        ...journals.flatMap((name) => ["-P", join(directory, name)])
      )
    },
    millis: [500, 1_500]
  })

  const faults = (workers: ReadonlyArray<Worker>): Faults => ({
    ...(mounted
      ? { diskFull: between(fill, Effect.sync(() => Fs.rmSync(ballast, { force: true })), [300, 2_000]) }
      : {}),
    noRights: between(chmod(0o000), chmod(0o700)),
    onlyReading: between(chmod(0o500), chmod(0o700)),
    ...(has("strace")
      ? {
        syncFails: faulty(workers, "fsync,fdatasync", "error=EIO:when=2+3"),
        syncSlow: faulty(workers, "fsync,fdatasync", "delay_exit=30000"),
        writeFails: faulty(workers, "write,writev,pwrite64", "error=ENOSPC:when=2+4")
      }
      : {})
  })
  const store: Store = {
    place: { driver: "file", options: { directory, compactAt: 20_000 }, timeout: 3_000 },
    under,
    survives: "all",
    faults
  }
  return store
})
