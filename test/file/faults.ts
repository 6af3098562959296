/**
 * A file system whose calls can be looked at, changed, held up and made to fail.
 */
import { Effect, FileSystem, PlatformError } from "effect"

/** Each stands between the driver and a call. What is absent lets the call through. */
export interface Faults {
  open?: (path: string, proceed: Open) => Open
  read?: (
    path: string,
    proceed: Call<number>,
    buffer: Uint8Array,
    read: (buffer: Uint8Array) => Call<number>
  ) => Call<number>
  write?: (path: string, proceed: (bytes: Uint8Array) => Call<number>, bytes: Uint8Array) => Call<number>
  sync?: (path: string, proceed: Call<void>, file: FileSystem.File) => Call<void>
  link?: (path: string, proceed: Call<void>, from: string) => Call<void>
  rename?: (path: string, proceed: Call<void>, from: string) => Call<void>
  info?: (path: string, proceed: Call<FileSystem.File.Info>) => Call<FileSystem.File.Info>
  stat?: (path: string, proceed: Call<FileSystem.File.Info>) => Call<FileSystem.File.Info>
  remove?: (path: string, proceed: Call<void>) => Call<void>
  list?: (path: string, proceed: Call<Array<string>>) => Call<Array<string>>
  makeDirectory?: (path: string, proceed: Call<void>) => Call<void>
}

type Open = ReturnType<FileSystem.FileSystem["open"]>
type Call<A> = Effect.Effect<A, PlatformError.PlatformError>

/** `faults` may be changed while the file system is in use. */
export const faulty = (fs: FileSystem.FileSystem, faults: Faults): FileSystem.FileSystem => ({
  ...fs,
  open: (path, options) => {
    const proceed = Effect.map(fs.open(path, options), (file) => faultyFile(path, file, faults))
    return Effect.suspend(() => faults.open?.(path, proceed) ?? proceed)
  },
  link: (from, to) => {
    const proceed = fs.link(from, to)
    return Effect.suspend(() => faults.link?.(to, proceed, from) ?? proceed)
  },
  rename: (from, to) => {
    const proceed = fs.rename(from, to)
    return Effect.suspend(() => faults.rename?.(to, proceed, from) ?? proceed)
  },
  stat: (path) => {
    const proceed = fs.stat(path)
    return Effect.suspend(() => faults.stat?.(path, proceed) ?? proceed)
  },
  remove: (path, options) => {
    const proceed = fs.remove(path, options)
    return Effect.suspend(() => faults.remove?.(path, proceed) ?? proceed)
  },
  readDirectory: (path, options) => {
    const proceed = fs.readDirectory(path, options)
    return Effect.suspend(() => faults.list?.(path, proceed) ?? proceed)
  },
  makeDirectory: (path, options) => {
    const proceed = fs.makeDirectory(path, options)
    return Effect.suspend(() => faults.makeDirectory?.(path, proceed) ?? proceed)
  }
})

const faultyFile = (path: string, file: FileSystem.File, faults: Faults): FileSystem.File => {
  const write = (bytes: Uint8Array) =>
    Effect.suspend(() => faults.write?.(path, (bytes) => file.write(bytes), bytes) ?? file.write(bytes))
  const writeAll = (bytes: Uint8Array): Call<void> =>
    Effect.flatMap(
      write(bytes),
      (n) => n === 0 ? fails("WriteZero", "writeAll") : n < bytes.length ? writeAll(bytes.subarray(n)) : Effect.void
    )
  return {
    [FileSystem.FileTypeId]: FileSystem.FileTypeId,
    stat: Effect.suspend(() => faults.info?.(path, file.stat) ?? file.stat),
    seek: (offset, from) => file.seek(offset, from),
    sync: Effect.suspend(() => faults.sync?.(path, file.sync, file) ?? file.sync),
    read: (buffer, options) =>
      Effect.suspend(() =>
        faults.read?.(path, file.read(buffer, options), buffer, (buffer) => file.read(buffer, options)) ??
          file.read(buffer, options)
      ),
    readAlloc: (size, options) => file.readAlloc(size, options),
    truncate: (length) => file.truncate(length),
    write,
    writeAll
  }
}

/** An error as the system gives it. */
export const systemError = (
  code: string,
  method = "write",
  tag: PlatformError.SystemErrorTag = "Unknown"
): PlatformError.PlatformError =>
  PlatformError.systemError({
    _tag: tag,
    module: "FileSystem",
    method,
    cause: Object.assign(new Error(`${code}: injected`), { code })
  })

export const fails = (...args: Parameters<typeof systemError>): Call<never> => Effect.fail(systemError(...args))
