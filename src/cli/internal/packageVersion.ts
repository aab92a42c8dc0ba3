import { readFileSync } from "node:fs"

/** What `package.json` says. Sources and build lie equally deep below it. */
const manifest = (): { readonly version: unknown; readonly engines?: { readonly node?: unknown } } =>
  JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"))

/** The version of this package. */
export const packageVersion = (): string => String(manifest().version)

/** The versions of Node.js that this package runs on, as `>=20.19`. */
export const supportedNode = (): string => String(manifest().engines?.node)
