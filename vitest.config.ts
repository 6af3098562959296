import { defineConfig } from "vitest/config"

// The Redis driver works with two versions of its client library: IOREDIS=5 runs the tests with the older one.
const alias = process.env["IOREDIS"] === "5" ? { ioredis: "ioredis5" } : {}

export default defineConfig({
  resolve: { conditions: ["effect-scoped-source"], alias },
  ssr: { resolve: { conditions: ["effect-scoped-source", "node", "import", "default"] } },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/servers/setup.ts",
    // The tests start servers and processes of their own: more files at once would only make them wait.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000
  }
})
