import "./test/support/node20Polyfill.ts"
import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** Files that take long because they wait; the longest first, so that everything else runs meanwhile. */
const longest = [
  "test/faults/network.test.ts",
  "test/testing/Conformance.test.ts",
  "test/computer/childProcess.test.ts",
  "test/server/officesModel.test.ts",
  "test/testing/ConformanceSees.test.ts",
  "test/faults/load.test.ts",
  "test/faults/restarts.test.ts",
  "test/transport/internal/serverWrites.test.ts"
]

class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const index = longest.findIndex((file) => moduleId.endsWith(file))
      return index < 0 ? longest.length : index
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    // Many tests wait for processes and sockets: a core for each worker would idle.
    maxWorkers: availableParallelism() + 2,
    sequence: { sequencer: LongestFirst },
    testTimeout: 30_000,
    coverage: { provider: "v8", include: ["src/**"], reporter: ["text-summary", "lcov"] }
  }
})
