import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const cache = join(root, "node_modules", ".cache", "a2c-smcp-test")

/** The folder of the bundle. */
const bundled = ["bundled", "cli", "main"] as const

const LOCK_MILLIS = 60_000
const A_DAY_MILLIS = 86_400_000

const sources = () =>
  readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" }).filter((path) => /\.(ts|json)$/.test(path))
    .sort()

const digest = (): string => {
  const hash = createHash("sha256")
  for (const path of sources()) hash.update(path).update(readFileSync(join(root, "src", path)))
  return hash.digest("hex").slice(0, 16)
}

const compile = (target: string): void => {
  const building = `${target}.building`
  rmSync(building, { recursive: true, force: true })
  mkdirSync(building, { recursive: true })
  copyFileSync(join(root, "package.json"), join(building, "package.json"))
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
  const { stdout } = spawnSync(
    process.execPath,
    [
      tsc,
      "-p",
      "src/tsconfig.json",
      "--outDir",
      join(building, "dist"),
      "--declaration",
      "false",
      "--declarationMap",
      "false"
    ],
    { cwd: root, encoding: "utf8" }
  )
  // types are checked elsewhere; here it only matters that there is something to run
  if (!existsSync(join(building, "dist", "cli", "Main.js"))) throw new Error(`The build failed: ${stdout}`)
  bundle(building)
  renameSync(building, target)
}

/**
 * Puts the modules of the command and of Effect into a few files; as deep as before, so that the command finds its
 * `package.json`. Other packages stay where they are.
 */
const bundle = (building: string): void => {
  const { buildSync } = createRequire(createRequire(import.meta.url).resolve("tsx"))("esbuild")
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  buildSync({
    entryPoints: [join(building, "dist", "cli", "Main.js")],
    outdir: join(building, ...bundled),
    bundle: true,
    external: Object.keys({ ...dependencies, ...peerDependencies }).filter((name) => !/^@?effect\b/.test(name)),
    splitting: true,
    keepNames: true,
    platform: "node",
    format: "esm",
    logLevel: "error"
  })
}

const ageMillis = (path: string): number => {
  try {
    return Date.now() - statSync(path).mtimeMs
  } catch {
    return 0
  }
}

/** Removes builds older than a day: every change of a source makes another, and they would pile up. */
const forgetOld = (): void => {
  for (const entry of readdirSync(cache)) {
    if (ageMillis(join(cache, entry)) > A_DAY_MILLIS) rmSync(join(cache, entry), { recursive: true, force: true })
  }
}

/** Only one process compiles; the others wait for it. */
const ensureBuilt = (target: string): void => {
  const lock = `${target}.lock`
  mkdirSync(cache, { recursive: true })
  while (!existsSync(target)) {
    try {
      mkdirSync(lock)
    } catch {
      // whoever held it was killed
      if (ageMillis(lock) > LOCK_MILLIS) rmSync(lock, { recursive: true, force: true })
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
      continue
    }
    try {
      forgetOld()
      if (!existsSync(target)) compile(target)
    } finally {
      rmSync(lock, { recursive: true, force: true })
    }
  }
}

const target = join(cache, `${digest()}-bundled`)
ensureBuilt(target)

/** The compiled package, as it is published. */
export const builtFolder: string = join(target, "dist")

/**
 * The compiled command in one piece. It starts with a third of the work that the modules of {@link builtFolder} need,
 * and those with a third of what the sources need; the tests start it hundreds of times.
 */
export const builtMain: string = join(target, ...bundled, "Main.js")
