/**
 * What a Computer answers to an Agent (specification, events: `client:*`).
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as ClientEvent from "../../protocol/ClientEvent.ts"
import type { GetConfigRet } from "../../protocol/ServerConfig.ts"
import * as Skill from "../../protocol/Skill.ts"
import * as SmcpError from "../../protocol/SmcpError.ts"
import * as WireError from "../../protocol/WireError.ts"
import * as Background from "../../transport/Background.ts"
import { type Handler, Transport } from "../../transport/Transport.ts"
import { Blobs } from "../Blobs.ts"
import type { SeatOptions } from "../Computer.ts"
import { Desktop } from "../Desktop.ts"
import type { Inputs } from "../Inputs.ts"
import { McpManager } from "../McpManager.ts"
import * as Resources from "../Resources.ts"
import { ToolCalls } from "../ToolCalls.ts"
import { ToolRegistry } from "../ToolRegistry.ts"
import { Uploads } from "../Uploads.ts"
import type { Report } from "./reports.ts"

/** What the office is told about when it changes. */
export interface Reports {
  readonly tools: Report
  readonly desktop: Report
  readonly config: Report & { readonly current: Effect.Effect<GetConfigRet> }
}

type Services = Transport | McpManager | ToolRegistry | ToolCalls | Desktop | Inputs | Blobs | Uploads | Scope.Scope

/** Answers all events that the revision has for a Computer. */
export const answerAgents = Effect.fnUntraced(function*(
  { name }: SeatOptions,
  reports: Reports
): Effect.fn.Return<void, never, Services> {
  const { revision } = yield* Transport
  const manager = yield* McpManager
  const registry = yield* ToolRegistry
  const desktop = yield* Desktop
  const blobs = yield* Blobs
  const uploads = yield* Uploads
  const answer = answering(yield* Transport, name)

  yield* answer(
    ClientEvent.GetTools,
    ({ req_id }) => Effect.map(reports.tools.telling(registry.list), (tools) => ({ tools, req_id }))
  )
  yield* answer(ClientEvent.GetDesktop, ({ desktop_size, req_id, window }) =>
    Effect.map(
      reports.desktop.telling(desktop.render({ size: desktop_size ?? undefined, window: window ?? undefined })),
      (desktops) => ({ desktops, req_id })
    ))
  yield* answer(ClientEvent.GetConfig, () => reports.config.telling(reports.config.current))
  if (revision.hasGetResources) {
    yield* answer(
      ClientEvent.GetResources,
      (request) => Effect.flatMap(manager.states, (states) => Resources.page(states, request, revision))
    )
  }
  if (revision.hasSkills) {
    yield* answer(ClientEvent.GetSkills, ({ req_id }) => Effect.succeed({ skills: [], req_id }))
    yield* answer(ClientEvent.GetSkill, ({ name }) => noSkill(name))
  }
  if (revision.hasGetBlob) yield* answer(ClientEvent.GetBlob, blobs.read)
  if (revision.hasPutBlob) yield* answer(ClientEvent.PutBlob, uploads.put)
  yield* answerCalls(answer)
})

type Answer = <E extends ClientEvent.ClientEvent>(
  event: E,
  handler: Handler<E>
) => Effect.Effect<void, never, Scope.Scope>

/** Refuses what is meant for another Computer, as the Server does. */
const answering = (transport: Transport["Service"], name: string): Answer => (event, handler) =>
  transport.handle(event, (request) => {
    const { computer }: { readonly computer: string } = request
    return computer === name ? handler(request) : notHere(computer)
  })

const notHere = (computer: string): Effect.Effect<never, SmcpError.SmcpError> =>
  Effect.fail(SmcpError.make(
    new WireError.NotFound({ message: `Computer with name '${computer}' not found`, computerName: computer })
  ))

/** A Computer of this package has no skills, and says so: some Servers take no answer for a broken Computer. */
const noSkill = (name: string): Effect.Effect<never, SmcpError.SmcpError> =>
  Effect.fail(SmcpError.make(
    Skill.isName(name)
      ? new WireError.McpServerNotFound({ message: "Skill not found", details: { name } })
      : new WireError.InvalidSkillName({ name })
  ))

/** Tool calls, and their cancellation. */
const answerCalls = Effect.fnUntraced(function*(answer: Answer) {
  const transport = yield* Transport
  const calls = yield* ToolCalls
  const { spool } = yield* Blobs
  yield* transport.notifications.pipe(
    Stream.runForEach((notification) =>
      notification.event === "notify:tool_call_cancel" ? calls.cancel(notification.payload.req_id) : Effect.void
    ),
    Background.fork("Listening for cancellations")
  )
  yield* answer(ClientEvent.ToolCall, (request) => calls.run(request, spool))
})
