/**
 * Reading what an entry says about the sandbox of its server.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { isRecord } from "../../../protocol/Json.ts"
import type { SandboxSettings } from "../../ServerEntry.ts"
import { decoderOf, type Fields, maybe, withoutUndefined } from "./decoding.ts"

/** What was read, and what is to be said about it. */
export interface ReadSandbox {
  readonly settings: SandboxSettings | undefined
  readonly remarks: ReadonlyArray<string>
}

/** `sandbox`, or what VS Code has in its place. Fails when it cannot be read: a server that was to be held in is not let out. */
export const readSandbox = (entry: Fields): Result.Result<ReadSandbox, string> => {
  const { sandbox = null, sandboxEnabled = null } = entry
  if (sandboxEnabled !== null && typeof sandboxEnabled !== "boolean") {
    return Result.fail("sandboxEnabled: expected boolean")
  }
  if (isRecord(sandbox) && isOfVSCode(sandbox)) return readForeign(sandbox, sandboxEnabled === true)
  if (sandbox === null && sandboxEnabled === true) {
    return Result.succeed({ settings: {}, remarks: ["sandboxEnabled was read as \"sandbox\": true"] })
  }
  if (sandbox === null || sandbox === false) return Result.succeed({ settings: undefined, remarks: [] })
  if (sandbox === true) return Result.succeed({ settings: {}, remarks: [] })
  return Result.map(readOwn(sandbox), (settings) => ({ settings, remarks: [] }))
}

// -----------------------------------------------------------------------------
// Internal
// -----------------------------------------------------------------------------

const Paths = maybe(Schema.Array(Schema.NonEmptyString))
const Switch = maybe(Schema.Boolean)

const decodeOwn = decoderOf(
  Schema.Struct({ required: Switch, network: Switch, writable: Paths, readable: Paths })
)

const ownKeys = ["required", "network", "writable", "readable"]

/** A key that is misspelt would leave something open. */
const readOwn = (value: unknown): Result.Result<SandboxSettings, string> => {
  const strange = isRecord(value) ? Object.keys(value).filter((key) => !ownKeys.includes(key)) : []
  if (strange.length > 0) {
    return Result.fail(`sandbox.${strange[0]} is not known; there are ${ownKeys.join(", ")}`)
  }
  return Result.map(
    Result.mapError(decodeOwn(value), (why) => `sandbox: ${why}`),
    ({ network, readable, required, writable }) =>
      withoutUndefined<SandboxSettings>({
        required: required ?? undefined,
        network: network ?? undefined,
        writable: writable ?? undefined,
        readable: readable ?? undefined
      })
  )
}

const isOfVSCode = (sandbox: Fields): boolean => "filesystem" in sandbox || isRecord(sandbox["network"])

const decodeForeign = decoderOf(Schema.Struct({
  filesystem: maybe(Schema.Struct({ allowWrite: Paths })),
  network: maybe(Schema.Struct({ allowedDomains: maybe(Schema.Array(Schema.String)) }))
}))

/** There is a sandbox only where it is enabled, and without allowed domains there is no network in it. */
const readForeign = (value: Fields, isEnabled: boolean): Result.Result<ReadSandbox, string> => {
  if (!isEnabled) {
    const remark = "sandbox is not applied, as \"sandboxEnabled\" is not true"
    return Result.succeed({ settings: undefined, remarks: [remark] })
  }
  return Result.map(
    Result.mapError(decodeForeign(value), (why) => `sandbox: ${why}`),
    ({ filesystem, network }) => {
      const writable = filesystem?.allowWrite ?? []
      const hasDomains = (network?.allowedDomains ?? []).length > 0
      return {
        settings: { network: hasDomains, ...(writable.length === 0 ? {} : { writable }) },
        remarks: [
          `sandboxEnabled was read as "sandbox": { "network": ${hasDomains}, "writable": … }`,
          ...(hasDomains ? ["sandbox.network.allowedDomains is not applied: the whole network is open"] : [])
        ]
      }
    }
  )
}
