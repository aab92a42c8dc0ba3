/** A long time in short: very many calls, crashes and restarts, and what they leave behind. */
import { measure } from "./MeasuredProcess.ts"

export interface SoakReport {
  readonly calls: number
  readonly crashes: number
  /** Calls that were not answered as they should. */
  readonly failures: number
  readonly seconds: { readonly calls: number; readonly crashes: number }
  /** Bytes in use after a collection, from when everything was warm. */
  readonly heap: { readonly before: number; readonly afterCalls: number; readonly afterCrashes: number }
  readonly files: { readonly before: number | undefined; readonly after: number | undefined }
  /** After the host was closed: file descriptors more than at the start, and what keeps the process running. */
  readonly left: { readonly files: number; readonly resources: ReadonlyArray<string> }
}

export interface Plan {
  readonly calls: number
  readonly crashes: number
}

export const runSoakBench = (
  { calls, crashes }: Plan,
  options: { readonly progress: (line: string) => void }
): Promise<SoakReport> => {
  options.progress(`soak: ${calls} calls, ${crashes} crashes`)
  return measure<SoakReport>("soakHost", [String(calls), String(crashes)])
}
