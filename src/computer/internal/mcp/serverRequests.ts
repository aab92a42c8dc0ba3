/**
 * What a server asks of us, answered by the handlers there are.
 */
import { Cause, Duration, Effect } from "effect"
import { isRecord, text } from "../../../protocol/Json.ts"
import type { Elicitation, ElicitationAnswer, Handlers } from "../../ClientHandlers.ts"

const INVALID_PARAMS = -32602
const METHOD_NOT_FOUND = -32601
const INTERNAL_ERROR = -32603
const DEFAULT_DEADLINE = Duration.minutes(5)
/** How many requests a server may have open at a time. */
const MAX_OPEN = 32

/** An error that the server is told of. */
class RequestError extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

type Answer = Readonly<Record<string, unknown>>
type Params = Readonly<Record<string, unknown>>

export interface ServerRequest {
  readonly requestId: string | number
  /** Aborted when the connection ends, and when the server takes the request back, unless its id is 0. */
  readonly signal: AbortSignal
}

export interface ServerRequests {
  /** What we announce: nothing that would be refused. */
  readonly capabilities: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** Rejects with a code and a message for the server; never settles when the server has taken its request back. */
  readonly answer: (method: string, params: unknown, request: ServerRequest) => Promise<Record<string, unknown>>
  /** The server takes the request with this id back. */
  readonly takeBack: (requestId: unknown) => void
  /** Whether a server waits for an answer. */
  readonly isAsking: () => boolean
}

export const makeServerRequests = Effect.fnUntraced(function*(options: {
  /** The name of the server. */
  readonly server: string
  /** URIs. */
  readonly roots: ReadonlyArray<string>
  readonly handlers: Handlers
}): Effect.fn.Return<ServerRequests> {
  const { handlers, roots, server } = options
  const run = Effect.runPromiseWith(yield* Effect.context<never>())
  let open = 0
  /** What can be taken back here: the SDK overlooks ids that are 0, which is the first one of its own servers, or empty. */
  const overlooked = new Map<unknown, AbortController>()

  const effectOf = (method: string, params: Params): Effect.Effect<Answer, RequestError> => {
    switch (method) {
      case "roots/list":
        return roots.length === 0 ? notFound(method) : Effect.succeed({ roots: roots.map((uri) => ({ uri })) })
      case "elicitation/create":
        return handlers.elicitation === undefined ? notFound(method) : elicit(handlers.elicitation, server, params)
      case "sampling/createMessage":
        return handlers.sampling === undefined ? notFound(method) : handlers.sampling({ server, params }).pipe(
          Effect.flatMap((result) => result === undefined ? Effect.fail(refused) : Effect.succeed(result))
        )
      default:
        return notFound(method)
    }
  }
  const handled = (method: string, params: Params): Effect.Effect<Answer, RequestError> =>
    Effect.suspend(() => effectOf(method, params)).pipe(
      Effect.timeoutOrElse({
        duration: handlers.deadline ?? DEFAULT_DEADLINE,
        orElse: () =>
          method === "elicitation/create"
            ? Effect.succeed({ action: "cancel" })
            : Effect.fail(new RequestError(INTERNAL_ERROR, "it was not answered in time"))
      }),
      Effect.catchCauseIf(
        (cause) => Cause.hasDies(cause),
        (cause) =>
          Effect.andThen(
            Effect.annotateLogs(Effect.logError(`The handler of ${method} died`, cause), { mcp_server: server }),
            Effect.fail(new RequestError(INTERNAL_ERROR, "it could not be answered"))
          )
      )
    )

  return {
    capabilities: {
      ...(roots.length === 0 ? {} : { roots: {} }),
      ...(handlers.elicitation === undefined ? {} : { elicitation: { form: {}, url: {} } }),
      ...(handlers.sampling === undefined ? {} : { sampling: {} })
    },
    answer: async (method, params, { requestId, signal }) => {
      if (open >= MAX_OPEN) throw new RequestError(INTERNAL_ERROR, "too many requests are waiting for an answer")
      const taken = new AbortController()
      if (!requestId) overlooked.set(requestId, taken)
      open += 1
      try {
        const both = requestId ? signal : AbortSignal.any([signal, taken.signal])
        return { ...await run(handled(method, isRecord(params) ? params : {}), { signal: both }) }
      } catch (error) {
        if (!taken.signal.aborted) throw error
      } finally {
        open -= 1
        if (overlooked.get(requestId) === taken) overlooked.delete(requestId)
      }
      // nobody waits for an answer any more
      return await new Promise<never>(() => {})
    },
    takeBack: (requestId) => overlooked.get(requestId)?.abort(),
    isAsking: () => open > 0
  }
})

const notFound = (method: string): Effect.Effect<never, RequestError> =>
  Effect.fail(new RequestError(METHOD_NOT_FOUND, `${method} is not supported here`))

const refused = new RequestError(METHOD_NOT_FOUND, "it was refused")

const elicit = (
  handler: (request: Elicitation) => Effect.Effect<ElicitationAnswer>,
  server: string,
  params: Params
): Effect.Effect<Answer, RequestError> => {
  const { message, requestedSchema, url } = params
  const mode = params["mode"] ?? "form"
  if (mode !== "form" && mode !== "url") return invalid(`"mode" is neither "form" nor "url"`)
  if (mode === "url" && typeof url !== "string") return invalid(`"url" is missing`)
  return Effect.map(
    handler({
      server,
      mode,
      message: text(message) ?? "",
      requestedSchema: isRecord(requestedSchema) ? requestedSchema : {},
      url: mode === "url" ? text(url) : undefined
    }),
    ({ action, content }) => ({
      action,
      ...(action === "accept" && mode === "form" ? { content: content ?? {} } : {})
    })
  )
}

const invalid = (detail: string): Effect.Effect<never, RequestError> =>
  Effect.fail(new RequestError(INVALID_PARAMS, detail))
