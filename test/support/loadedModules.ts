import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const program = fileURLToPath(new URL("./loadedModulesChild.mjs", import.meta.url))
const root = fileURLToPath(new URL("../..", import.meta.url))

/**
 * The URLs of every module, ESM and CommonJS alike, that a new Node process
 * loads when it imports one file of this repository and nothing else.
 */
export const loadedModules = async (file: string): Promise<ReadonlyArray<string>> => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--import", "tsx", program, new URL(file, new URL("../../", import.meta.url)).href],
    { cwd: root, env: { PATH: process.env["PATH"] }, timeout: 25_000, maxBuffer: 16 * 1024 * 1024 }
  )
  return stdout.split("\n").filter((line) => line !== "")
}

/** The npm packages that modules belong to; an entry appears once. */
export const packagesOf = (urls: ReadonlyArray<string>): ReadonlyArray<string> =>
  [...new Set(urls.flatMap((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ?? []))].sort()
