// Imports the module named by its argument and prints one URL a line for every
// module that this loads: ESM as the loader sees it, CommonJS from its cache.
import { createRequire, register } from "node:module"
import { pathToFileURL } from "node:url"

const cache = createRequire(import.meta.url).cache
const before = new Set(Object.keys(cache))
register("./loadedModulesHook.mjs", import.meta.url)

await import(process.argv[2])

for (const path of Object.keys(cache)) {
  if (!before.has(path)) process.stdout.write(`${pathToFileURL(path).href}\n`)
}
