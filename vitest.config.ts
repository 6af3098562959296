import { defineConfig } from "vitest/config"

export default defineConfig({
  resolve: { conditions: ["effect-scoped-source"] },
  ssr: { resolve: { conditions: ["effect-scoped-source", "node", "import", "default"] } },
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000
  }
})
