import { isRecord } from "../../../protocol/Json.ts"

/** What a server has to announce before it is asked. Tools are not among it: some servers have them without saying so. */
const NEEDS: ReadonlyArray<readonly [method: RegExp, capability: string, feature?: string]> = [
  [/^resources\/(un)?subscribe$/, "resources", "subscribe"],
  [/^resources\//, "resources"],
  [/^prompts\//, "prompts"],
  [/^logging\//, "logging"],
  [/^completion\//, "completions"],
  [/^tasks\//, "tasks"]
]

/** The capability that a request needs and that the server did not announce; `undefined` when it may be sent. */
export const missingCapability = (
  method: string,
  capabilities: Readonly<Record<string, unknown>>
): string | undefined => {
  const need = NEEDS.find(([pattern]) => pattern.test(method))
  if (need === undefined) return undefined
  const [, capability, feature] = need
  const announced = capabilities[capability]
  if (announced === undefined || announced === null || announced === false) return capability
  if (feature === undefined || (isRecord(announced) && announced[feature] === true)) return undefined
  return `${capability}.${feature}`
}
