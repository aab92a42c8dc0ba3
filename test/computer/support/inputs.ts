import { Effect, Layer, Redacted, References } from "effect"
import * as Inputs from "../../../src/computer/Inputs.ts"
import type { Dialect, ServerEntry, ServerSettings } from "../../../src/computer/ServerEntry.ts"
import type { StdioServerConfig } from "../../../src/protocol/ServerConfig.ts"

type Parameters = StdioServerConfig["server_parameters"]

const common = {
  name: "s",
  bundle_id: "s",
  disabled: false,
  forbidden_tools: [],
  tool_meta: {},
  default_tool_meta: null,
  vrl: null
}

const origin = (dialect: Dialect, directory: string | undefined) => ({ source: "test", dialect, directory })

interface Rest {
  readonly settings?: ServerSettings
  readonly dialect?: Dialect
  readonly directory?: string
}

/** A local server with these parameters. */
export const local = (
  parameters: Partial<Parameters> & { readonly env?: Readonly<Record<string, unknown>> | null },
  { dialect = "a2c", directory, settings = {} }: Rest = {}
): ServerEntry => ({
  key: "s",
  bundleId: "s",
  config: {
    ...common,
    type: "stdio",
    server_parameters: {
      command: "c",
      args: [],
      env: null,
      cwd: null,
      encoding: "utf-8",
      encoding_error_handler: "strict",
      ...parameters
    }
  },
  settings,
  origin: origin(dialect, directory)
})

/** A remote server at this address. */
export const remote = (url: string, headers: Readonly<Record<string, unknown>> | null = null): ServerEntry => ({
  key: "s",
  bundleId: "s",
  config: { ...common, type: "sse", server_parameters: { url, headers, timeout: 5, sse_read_timeout: 300 } },
  settings: {},
  origin: origin("a2c", undefined)
})

/** The parameters of a server as it would be started. */
export const rendered = (entry: ServerEntry) =>
  Inputs.Inputs.use((inputs) => Effect.map(inputs.render(entry), (each) => Redacted.value(each)))

/** The `env` of a local server as it would be started. */
export const renderedEnv = (env: Readonly<Record<string, unknown>>) =>
  Effect.map(
    rendered(local({ env } as never)),
    ({ config }) => config.type === "stdio" ? config.server_parameters.env : null
  )

/** The values of `${input:id}` for these ids, as text. */
export const valuesOf = (...ids: ReadonlyArray<string>) =>
  Effect.map(
    renderedEnv(Object.fromEntries(ids.map((id) => [id, `\${input:${id}}`]))),
    (env) => ids.map((id) => env?.[id])
  )

/** Inputs without the environment of this process, and without their log. */
export const inputs = (options: Inputs.Options) =>
  Inputs.layer({ environment: {}, ...options }).pipe(
    Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None"))
  )

export type Definition = Inputs.InputDefinition

export const password = { id: "password", type: "promptString", password: true } satisfies Definition
export const city = { id: "city", type: "promptString", description: "Where do you live?" } satisfies Definition
export const port = { id: "port", type: "number", integer: true, min: 1, max: 65_535 } satisfies Definition
export const debug = { id: "debug", type: "boolean", trueLabel: "Loud", falseLabel: "Quiet" } satisfies Definition
export const level = {
  id: "level",
  type: "pickString",
  options: ["low", { label: "High!", value: "high" }]
} satisfies Definition

/** Inputs with these options. */
export const provide = (options: Inputs.Options) => Effect.provide(inputs(options))

/** How it fails with these options. */
export const fails = <A>(self: Effect.Effect<A, Inputs.InputError, Inputs.Inputs>, options: Inputs.Options) =>
  Effect.flip(self).pipe(provide(options))

/** A person who gives these answers, one after the other, and what that person was asked. */
export const person = (...answers: ReadonlyArray<string>) => {
  const asked: Array<Inputs.PromptRequest> = []
  const prompt: Inputs.Prompt = (request) =>
    Effect.suspend(() => {
      const answer = answers[asked.length]
      asked.push(request)
      return answer === undefined ? Effect.fail(new Inputs.PromptUnavailable()) : Effect.succeed(answer)
    })
  return { asked, prompt }
}
