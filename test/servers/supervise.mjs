// Runs a server for as long as whoever started this lives: when our standard input ends, even because the tests were
// killed, the server is killed too. Prints the server's process id first, then what the server prints.
import { spawn } from "node:child_process"

const [command, ...args] = process.argv.slice(2)
const server = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] })
process.stdout.write(`${server.pid}\n`)
server.stdout.pipe(process.stdout)
server.stderr.pipe(process.stdout)
server.on("error", (error) => {
  process.stdout.write(`${error.message}\n`)
  process.exit(127)
})
server.on("exit", (code, signal) => process.exit(code ?? (signal === null ? 1 : 0)))
process.stdin.on("end", () => server.kill("SIGKILL")).resume()
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => server.kill("SIGKILL"))
