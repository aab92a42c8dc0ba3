import "./test/support/node20Polyfill.ts"
import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    // Most tests wait for processes and sockets; a core kept free would idle.
    maxWorkers: "100%",
    testTimeout: 30_000,
    coverage: { provider: "v8", include: ["src/**"], reporter: ["text-summary", "lcov"] }
  }
})
