import { writeSync } from "node:fs"

/** A loader hook (see `node:module`) that prints the URL of each module it is asked for. */
export const load = (url, context, nextLoad) => {
  writeSync(1, `${url}\n`)
  return nextLoad(url, context)
}
