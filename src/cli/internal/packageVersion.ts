import { readFileSync } from "node:fs"

/** The version of this package. Sources and build lie equally deep below `package.json`. */
export const packageVersion = (): string => {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"))
  return String((manifest as { readonly version: unknown }).version)
}
