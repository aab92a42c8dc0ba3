/**
 * What an Agent asks of one Computer.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as ClientEvent from "../../protocol/ClientEvent.ts"
import * as RequestId from "../../protocol/RequestId.ts"
import type { GetSkillRet } from "../../protocol/Skill.ts"
import * as SmcpError from "../../protocol/SmcpError.ts"
import type { Transport } from "../../transport/Transport.ts"
import type { Agent } from "../Agent.ts"
import * as AgentResource from "../AgentResource.ts"
import * as AgentSkill from "../AgentSkill.ts"
import * as AgentWindow from "../AgentWindow.ts"
import * as BlobDownload from "../BlobDownload.ts"
import * as Upload from "../Upload.ts"

type Envelope = "agent" | "req_id" | "computer"

/**
 * Asks one question, unless the revision in force does not know it. An answer
 * belongs to its question by its acknowledgement: the req_id in it is not looked at.
 */
export const asking = (transport: Transport["Service"], agent: string) =>
<E extends ClientEvent.ClientEvent>(
  event: E,
  computer: string,
  rest?: Omit<E["payload"]["Type"], Envelope>
): Effect.Effect<E["success"]["Type"], SmcpError.SmcpError> =>
  Effect.suspend(() =>
    event.feature === undefined || transport.revision[event.feature]
      ? transport.call(event, { agent, req_id: RequestId.make(), computer, ...rest })
      : Effect.fail(SmcpError.make(new SmcpError.UnsupportedByPeer({ event: event.name })))
  )

type Questions = Pick<
  Agent["Service"],
  "resources" | "allResources" | "desktop" | "skills" | "skillFile" | "blob" | "download" | "upload"
>

/** See `Agent`. */
export const questions = (transport: Transport["Service"], agent: string): Questions => {
  const ask = asking(transport, agent)

  const resources: Questions["resources"] = (computer, mcpServer, { cursor } = {}) =>
    Effect.map(
      ask(ClientEvent.GetResources, computer, { mcp_server: mcpServer, ...(cursor === undefined ? {} : { cursor }) }),
      (page) => AgentResource.pageFromWire(computer, mcpServer, page)
    )

  const read = (computer: string, handle: string): BlobDownload.Read => (range) =>
    ask(ClientEvent.GetBlob, computer, { blob_handle: handle, ...range })

  return {
    resources,
    allResources: (computer, mcpServer) => everyPage((cursor) => resources(computer, mcpServer, { cursor })),
    desktop: (computer, { size, window } = {}) =>
      Effect.map(
        ask(ClientEvent.GetDesktop, computer, {
          ...(size === undefined ? {} : { desktop_size: size }),
          ...(window === undefined ? {} : { window })
        }),
        ({ desktops }) => (desktops ?? []).map(AgentWindow.fromWire)
      ),
    skills: (computer) =>
      Effect.map(
        ask(ClientEvent.GetSkills, computer),
        ({ skills }) => (skills ?? []).map((skill) => AgentSkill.fromWire(computer, skill))
      ),
    skillFile: Effect.fnUntraced(function*(computer, name, { path } = {}) {
      const file = yield* ask(ClientEvent.GetSkill, computer, {
        name,
        ...(path === undefined ? {} : { rel_path: path })
      })
      const bytes = typeof file.body === "string"
        ? new TextEncoder().encode(file.body)
        : (yield* BlobDownload.download(read(computer, yield* handleOf(file)), { sha256: file.sha256 ?? undefined }))
          .bytes
      return { path: file.rel_path ?? path ?? "SKILL.md", mimeType: file.mime_type ?? undefined, bytes }
    }),
    blob: (computer, handle, options) => BlobDownload.stream(read(computer, handle), options),
    download: (computer, handle, options) => BlobDownload.download(read(computer, handle), options),
    upload: (computer, source, options) =>
      Upload.upload(
        {
          write: (chunk) => ask(ClientEvent.PutBlob, computer, chunk),
          maxPayload: transport.maxPayload,
          envelope: { agent, req_id: RequestId.make(), computer }
        },
        source,
        options
      )
  }
}

/** Either the text itself or a handle is there. */
const handleOf = ({ blob_handle }: GetSkillRet): Effect.Effect<string, SmcpError.SmcpError> =>
  typeof blob_handle === "string" ? Effect.succeed(blob_handle) : Effect.fail(SmcpError.make(
    new SmcpError.InvalidResponse({ event: ClientEvent.GetSkill.name, issue: "neither body nor blob_handle" })
  ))

const everyPage = (
  page: (cursor: string | undefined) => Effect.Effect<AgentResource.ResourcePage, SmcpError.SmcpError>
): Stream.Stream<AgentResource.AgentResource, SmcpError.SmcpError> =>
  Stream.suspend(() => {
    const seen = new Set<string>()
    return Stream.paginate<string | undefined, AgentResource.AgentResource, SmcpError.SmcpError>(
      undefined,
      Effect.fnUntraced(function*(cursor) {
        if (cursor !== undefined && seen.has(cursor)) return yield* cursorAgain(cursor)
        if (cursor !== undefined) seen.add(cursor)
        const { nextCursor, resources } = yield* page(cursor)
        return [resources, Option.fromUndefinedOr(nextCursor)]
      })
    )
  })

const cursorAgain = (cursor: string) =>
  Effect.fail(SmcpError.make(
    new SmcpError.InvalidResponse({
      event: ClientEvent.GetResources.name,
      issue: `the cursor "${cursor}" came twice, so the pages have no end`
    })
  ))
