/** `docs/events.md` */
import * as Duration from "effect/Duration"
import * as ClientEvent from "../../src/protocol/ClientEvent.ts"
import * as EventCatalogue from "../../src/protocol/EventCatalogue.ts"
import * as NotifyEvent from "../../src/protocol/NotifyEvent.ts"
import * as Office from "../../src/protocol/Office.ts"
import * as Resource from "../../src/protocol/Resource.ts"
import * as Revision from "../../src/protocol/Revision.ts"
import * as ServerEvent from "../../src/protocol/ServerEvent.ts"
import * as Skill from "../../src/protocol/Skill.ts"
import * as Tool from "../../src/protocol/Tool.ts"
import * as Server from "../../src/server/Server.ts"
import * as Membership from "../../src/transport/Membership.ts"
import * as Transport from "../../src/transport/Transport.ts"
import { code, linkTo, page, table } from "./Markdown.ts"
import * as SchemaText from "./SchemaText.ts"
import { specification } from "./Specification.ts"

type AnyEvent =
  | (typeof ClientEvent.all)[number]
  | (typeof ServerEvent.all)[number]
  | (typeof NotifyEvent.all)[number]

/** What stands inside of payloads and answers. */
const structures = {
  SmcpTool: Tool.SmcpTool,
  CallToolResult: Tool.CallToolResult,
  SessionInfo: Office.SessionInfo,
  Resource: Resource.Resource,
  SkillRef: Skill.SkillRef
} as const

const names: SchemaText.Names = new Map(Object.entries(structures).map(([name, { ast }]) => [ast, linkTo(name)]))

const revisions = Object.values(Revision.revisions)

const seconds = (duration: Duration.Input): string => `${Duration.toSeconds(Duration.fromInputUnsafe(duration))} s`

const since = ({ feature }: AnyEvent): string =>
  revisions.find((revision) => feature === undefined || revision[feature])!.id

const sendersOf = (event: AnyEvent): string => {
  switch (event._tag) {
    case "ClientEvent":
      return "Agent"
    case "ServerEvent":
      return event.senders.map((role) => role === "agent" ? "Agent" : "Computer").join(", ")
    case "NotifyEvent":
      return "Server"
  }
}

const receiverOf: { readonly [Tag in AnyEvent["_tag"]]: string } = {
  ClientEvent: "a Computer of the Agent's office, through the Server",
  ServerEvent: "the Server",
  NotifyEvent: "the others in the office"
}

/** How the answer comes, in one or two words; undefined when there is none. */
const answerOf = (event: AnyEvent): string | undefined => {
  if (event._tag === "NotifyEvent" || event.ack === "none") return undefined
  return event.ack === "membership" ? "yes or no" : "a value"
}

/** How long each side waits. */
const deadlineOf = (event: AnyEvent): string | undefined => {
  if (answerOf(event) === undefined) return undefined
  if (event._tag === "ServerEvent") {
    return event.ack === "membership"
      ? seconds(Membership.defaults.joinTimeout)
      : seconds(Transport.DEFAULT_CALL_TIMEOUT)
  }
  return "timeout" in event.payload.fields
    ? `\`timeout\`; the Server waits ${seconds(Server.defaults.toolCallGrace)} longer`
    : seconds(Server.defaults.requestTimeout)
}

const overview = (events: ReadonlyArray<AnyEvent>): string =>
  table(
    ["Event", "Sent by", "Since", "Answer", "Deadline"],
    events.map((event) => [
      linkTo(event.name, code(event.name)),
      sendersOf(event),
      since(event),
      answerOf(event) ?? "none",
      deadlineOf(event) ?? ""
    ])
  )

const fieldTable = (schema: Parameters<typeof SchemaText.fieldsOf>[0]): string => {
  const rows = (SchemaText.fieldsOf(schema, names) ?? []).map(({ name, optional, type }) => [
    code(name),
    type,
    optional ? "optional" : ""
  ])
  const open = SchemaText.isOpen(schema) ? [["any other", "any JSON", "optional"]] : []
  return table(["Key", "Type", ""], [...rows, ...open])
}

const answerSection = (event: AnyEvent): string => {
  if (event._tag === "NotifyEvent") return "No answer."
  switch (event.ack) {
    case "none":
      return "No answer; a peer that asks for an acknowledgement gets an empty one."
    case "membership":
      return membershipAnswers
    case "value": {
      const name = names.get(event.success.ast)
      return name === undefined
        ? `Answer, or a flat error:\n\n${fieldTable(event.success)}`
        : `Answer: ${name}, or a flat error${inResults === "" ? "" : ` (in ${inResults} a result with \`isError\`)`}.`
    }
  }
}

const idsOf = (has: (revision: Revision.Revision) => boolean): string =>
  revisions.filter(has).map(({ id }) => id).join(", ")

const inResults = idsOf(({ toolCallErrors }) => toolCallErrors === "result")

const membershipAnswers =
  `Answer in ${idsOf(({ joinAck }) => joinAck === "tuple")}: two arguments, \`true, null\` or \`false, "why"\`. ` +
  `In ${idsOf(({ joinAck }) => joinAck === "payload")}: nothing, or a flat error.`

const section = (event: AnyEvent): ReadonlyArray<string> => {
  const { description, page: specificationPage } = EventCatalogue.events[event.name]
  const deadline = deadlineOf(event)
  const facts = [
    `Sent by: ${sendersOf(event)}`,
    `to: ${receiverOf[event._tag]}`,
    `since ${since(event)}`,
    ...(deadline === undefined ? [] : [`deadline: ${deadline}`]),
    `specification: ${specification(specificationPage)}`
  ]
  return [`### ${event.name}`, description, facts.join(" · "), fieldTable(event.payload), answerSection(event)]
}

const kinds: ReadonlyArray<readonly [title: string, about: string, events: ReadonlyArray<AnyEvent>]> = [
  [
    "What an Agent asks a Computer",
    "The Server relays these untouched, and answers itself when it cannot.",
    ClientEvent.all
  ],
  [
    "What is said to the Server",
    "The sender is known from its session; what a payload says of it does not count.",
    ServerEvent.all
  ],
  [
    "What the Server tells an office",
    "Everybody in the office hears these but the one they are about.",
    NotifyEvent.all
  ]
]

/** The page. */
export const eventsPage = (): string =>
  page("Events", [
    "Everything that Agents, Computers and the Server say to each other, over Socket.IO in the namespace `/smcp`. The " +
    "keys and types are those that this package reads and sends; an optional key may be missing or `null`, which means " +
    "the same, and unknown keys are ignored. *Since* names the first revision with the event " +
    "([all revisions](revisions.md)), *deadline* how long an answer is waited for unless a program says otherwise. " +
    "Errors are described in [errors.md](errors.md).",
    ...kinds.flatMap(([title, about, events]) => [`## ${title}`, about, overview(events)]),
    ...kinds.flatMap(([title, , events]) => [`## ${title}, one by one`, ...events.flatMap(section)]),
    "## Structures",
    ...Object.entries(structures).flatMap(([name, schema]) => [`### ${name}`, fieldTable(schema)])
  ])
