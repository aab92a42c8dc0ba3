/**
 * Tool calls that wait for consent, and a person who gives it.
 */
import { Context, Deferred, Effect, Layer } from "effect"
import * as Consent from "../../../src/computer/Consent.ts"
import type { McpTool } from "../../../src/computer/McpClient.ts"
import type { ServerEntry } from "../../../src/computer/ServerEntry.ts"

export const described = (rest: Partial<McpTool> = {}): McpTool => ({
  name: "write",
  description: "Writes a file",
  inputSchema: { type: "object", properties: { code: { type: "string", format: "password" } } },
  ...rest
})

/** A server that runs this program. */
export const entry = (bundleId: string, args: ReadonlyArray<string> = [], directory = "/project"): ServerEntry => ({
  key: bundleId,
  bundleId,
  config: {
    name: bundleId,
    bundle_id: bundleId,
    disabled: false,
    forbidden_tools: [],
    tool_meta: {},
    type: "stdio",
    server_parameters: {
      command: "run",
      args,
      env: { KEY: "${input:key}" },
      cwd: null,
      encoding: "utf-8",
      encoding_error_handler: "strict"
    }
  },
  settings: {},
  origin: { source: "mcp.json", dialect: "a2c", directory }
})

export const call = (rest: Partial<Consent.PendingCall> = {}): Consent.PendingCall => ({
  requestId: "r1",
  agent: "A",
  server: "files",
  tool: "write",
  exposedName: "files__write",
  args: { path: "/x", code: "1234", token: "t0ps3cret" },
  definition: described({ name: rest.tool ?? "write" }),
  entry: entry(rest.server ?? "files"),
  autoApply: undefined,
  ...rest
})

export const readOnly = { definition: described({ annotations: { readOnlyHint: true } }) }

export const open = (options: Consent.Options) =>
  Effect.map(Layer.build(Consent.layer(options)), Context.get(Consent.Consent))

/** A person at the Computer: what they are asked waits for `answer`. */
export const person = () => {
  const asked: Array<Consent.Question> = []
  const withdrawn: Array<string> = []
  const answers: Array<Deferred.Deferred<Consent.Answer>> = []
  const ask = (question: Consent.Question) =>
    Effect.suspend(() => {
      asked.push(question)
      const answer = Deferred.makeUnsafe<Consent.Answer>()
      answers.push(answer)
      return Effect.onInterrupt(
        Deferred.await(answer),
        () => Effect.sync(() => void withdrawn.push(question.requestId))
      )
    })
  const answer = (given: Consent.Answer) =>
    Effect.andThen(settled, Effect.suspend(() => Deferred.succeed(answers.at(-1)!, given)))
  return { asked, withdrawn, ask, answer }
}

/** Lets everything that can go on do so. */
export const settled = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })

export const start = <A>(effect: Effect.Effect<A>) => Effect.forkChild(effect, { startImmediately: true })

export const said = (verdict: Consent.Verdict): string =>
  verdict._tag === "Allowed" ? verdict.by : `${verdict.by}: ${verdict.message}`
