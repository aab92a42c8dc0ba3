/**
 * What `smcp doctor` looks at on this machine.
 */
import * as Effect from "effect/Effect"
import { accessSync, constants, statSync } from "node:fs"
import { dirname, resolve } from "node:path"
import * as SecretStore from "../../computer/SecretStore.ts"
import { PROTOCOL_VERSION } from "../../protocol/Revision.ts"
import { messageOf } from "../../protocol/Thrown.ts"
import type { Finding } from "./doctorFinding.ts"
import { packageVersion, supportedNode } from "./packageVersion.ts"

const group = "This machine"

/** Node.js and this package. */
export const checkPrograms = (running: string = process.versions.node): ReadonlyArray<Finding> => {
  const supported = supportedNode()
  const isSupported = isAtLeast(running, supported.replace(/^[^\d]*/, ""))
  return [
    {
      group,
      check: "Node.js",
      verdict: isSupported ? "ok" : "problem",
      seen: `${running} (${supported} is needed)`,
      ...(isSupported ? {} : { advice: "Install a newer Node.js from https://nodejs.org" })
    },
    { group, check: "a2c-smcp", verdict: "ok", seen: `${packageVersion()}, protocol ${PROTOCOL_VERSION}` }
  ]
}

const isAtLeast = (version: string, least: string): boolean => {
  const parts = version.split(".").map(Number)
  for (const [index, wanted] of least.split(".").map(Number).entries()) {
    const part = parts[index] ?? 0
    if (part !== wanted) return part > wanted
  }
  return true
}

/** Whether the state directory can be used. It is not made. */
export const checkState = (directory: string): Finding => {
  const path = resolve(directory)
  const common = { group, check: "state directory" } as const
  try {
    const nearest = existing(path)
    if (!statSync(nearest).isDirectory()) throw new Error(`${nearest} is not a directory`)
    accessSync(nearest, constants.W_OK | constants.X_OK)
    return { ...common, verdict: "ok", seen: nearest === path ? path : `${path}, which is made when it is needed` }
  } catch (cause) {
    return {
      ...common,
      verdict: "problem",
      seen: `${path} cannot be used: ${messageOf(cause)}`,
      advice: "Make it writable for you, or name another one with --state-dir or SMCP_STATE_DIR"
    }
  }
}

/** The nearest part of a path that is there. */
const existing = (path: string): string =>
  statSync(path, { throwIfNoEntry: false }) === undefined && dirname(path) !== path ? existing(dirname(path)) : path

/** No input has this name. */
const NO_SECRET = "a2c-smcp doctor"

/** Whether the keychain answers. */
export const checkKeychain: Effect.Effect<Finding> = SecretStore.SecretStore.use(({ get }) => get(NO_SECRET)).pipe(
  Effect.provide(SecretStore.layerKeyring({ timeout: "10 seconds" })),
  Effect.match({
    onSuccess: (): Finding => ({ group, check: "keychain", verdict: "ok", seen: "it answers" }),
    onFailure: ({ message }): Finding => ({
      group,
      check: "keychain",
      verdict: "problem",
      seen: message.replace(`"${NO_SECRET}" `, ""),
      advice: "Mend that, or leave out --keychain and give secrets in the environment"
    })
  })
)
