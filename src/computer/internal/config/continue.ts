/**
 * The servers of Continue (a list `mcpServers` in YAML) in the words of the common shape.
 */
import { isRecord } from "../../../protocol/Json.ts"
import { type Fields, withoutNulls } from "./decoding.ts"
import { type Foreign, nameIn, recordOf, replaced, unlessEmpty } from "./foreignFields.ts"
import { mapTexts } from "./translate.ts"

interface ContinueFile extends Fields {
  readonly mcpServers: ReadonlyArray<unknown>
}

/** Whether this is a file of Continue: such a file names the `schema` of which it is. */
export const isOfContinue = (value: Fields): value is ContinueFile =>
  typeof value["schema"] === "string" && Array.isArray(value["mcpServers"])

/** Its servers. */
export const continueServers = ({ mcpServers }: ContinueFile): Foreign => {
  const blockOf = (item: unknown) => isRecord(item) && typeof item["uses"] === "string" ? item["uses"] : undefined
  const blocks = mcpServers.map(blockOf).filter((block) => block !== undefined)
  const servers = mcpServers.map((item, index) => [nameIn(item) ?? `mcpServers[${index}]`, item] as const)
  return {
    servers: servers.filter(([, item]) => blockOf(item) === undefined).map(([key, item]) => [key, fromContinue(item)]),
    remarks: blocks.map((block) =>
      `The block "${block}" of Continue's hub was left out; write down the server that it stands for`
    )
  }
}

const fromContinue = (item: unknown): unknown => {
  const translated = mapTexts(item, withVariables)
  if (!isRecord(translated)) return translated
  const { apiKey, connectionTimeout, requestOptions, ...rest } = translated
  const { headers: given, ...otherOptions } = recordOf(requestOptions)
  const headers = recordOf(given)
  const isAuthorized = Object.keys(headers).some((name) => name.toLowerCase() === "authorization")
  return {
    ...rest,
    ...withoutNulls({
      headers: unlessEmpty({
        ...(typeof apiKey !== "string" || isAuthorized ? {} : { Authorization: `Bearer ${apiKey}` }),
        ...headers
      }),
      start_timeout: typeof connectionTimeout === "number" ? connectionTimeout / 1000 : connectionTimeout,
      requestOptions: isRecord(requestOptions) ? unlessEmpty(otherOptions) : requestOptions
    })
  }
}

/** `${{ secrets.NAME }}` is a variable of the environment or of an `.env` file. */
const withVariables = (text: string): string =>
  replaced(text, /\$\{\{\s*(?:secrets|inputs)\.([^}\s]+)\s*\}\}/g, ([, name = ""]) => `\${env:${name}}`)
