import { defineConfig } from "vitest/config"

/** For blocks of the documentation that are tests themselves. */
export default defineConfig({
  root: new URL("../..", import.meta.url).pathname,
  resolve: { conditions: ["effect-scoped-source"] },
  ssr: { resolve: { conditions: ["effect-scoped-source", "node", "import", "default"] } },
  test: { include: [".cache/docs/*.ts"], exclude: [] }
})
