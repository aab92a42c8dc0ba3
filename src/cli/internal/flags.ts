/**
 * Flags that several commands share. Each says in `--help` which environment
 * variable stands in for it.
 */
import * as Arr from "effect/Array"
import * as Flag from "effect/cli/Flag"
import * as Config from "effect/Config"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type { Mode } from "../../computer/Consent.ts"
import * as Revision from "../../protocol/Revision.ts"

const MODES: ReadonlyArray<Mode> = ["ask", "read-only", "all"]

/** The environment variable that stands in for a flag, for error messages. */
export const environmentOf: Readonly<Record<string, string>> = {
  url: "SMCP_URL",
  office: "SMCP_OFFICE",
  name: "SMCP_NAME",
  config: "SMCP_CONFIG"
}

/** Whether a text is the URL of a Server. */
export const isHttpUrl = (text: string): boolean =>
  /^(https?|wss?):$/.test(URL.canParse(text) ? new URL(text).protocol : "")

const notEmpty = (what: string) => Flag.filter<string>((text) => text.trim() !== "", () => `${what} must not be empty`)

/** A flag that is off unless it is given. */
export const toggle = (name: string, description: string): Flag.Flag<boolean> =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false), Flag.withoutNegation)

/** Where a Computer keeps what is to survive. */
export const stateDir = (description: string): Flag.Flag<Option.Option<string>> =>
  Flag.String("state-dir").pipe(
    Flag.withMetavar("<dir>"),
    Flag.withDescription(description),
    Flag.withFallbackConfig(Config.String("SMCP_STATE_DIR")),
    Flag.optional
  )

export const url: Flag.Flag<string> = Flag.String("url").pipe(
  Flag.withAlias("u"),
  Flag.withMetavar("<url>"),
  Flag.withDescription("Where the Server is, http://host:port [env SMCP_URL]"),
  Flag.withFallbackConfig(Config.String("SMCP_URL")),
  Flag.filter(isHttpUrl, () => "Expected something like http://host:port")
)

export const office: Flag.Flag<string> = Flag.String("office").pipe(
  Flag.withAlias("o"),
  Flag.withMetavar("<id>"),
  Flag.withDescription("The office to sit in; Agents and Computers of one office see each other [env SMCP_OFFICE]"),
  Flag.withFallbackConfig(Config.String("SMCP_OFFICE")),
  notEmpty("The office")
)

/** The name in the office, where the command needs one. */
export const name: Flag.Flag<string> = Flag.String("name").pipe(
  Flag.withAlias("n"),
  Flag.withMetavar("<name>"),
  Flag.withDescription("The name by which Agents call this Computer, unique in the office [env SMCP_NAME]"),
  Flag.withFallbackConfig(Config.String("SMCP_NAME")),
  notEmpty("The name")
)

/** The name in the office, where any will do. */
export const agentName: Flag.Flag<string> = Flag.String("name").pipe(
  Flag.withAlias("n"),
  Flag.withMetavar("<name>"),
  Flag.withDescription("The Agent's name in the office [env SMCP_NAME, default smcp-cli]"),
  Flag.withFallbackConfig(Config.String("SMCP_NAME")),
  Flag.withDefault("smcp-cli"),
  notEmpty("The name")
)

export const apiKey: Flag.Flag<Option.Option<Redacted.Redacted>> = Flag.Redacted("api-key").pipe(
  Flag.withMetavar("<key>"),
  Flag.withDescription("The Server's key. Others on this machine can see arguments: prefer [env SMCP_API_KEY]"),
  Flag.withFallbackConfig(Config.Redacted("SMCP_API_KEY")),
  Flag.optional
)

const knownRevisions = Object.keys(Revision.revisions).join(", ")

const revisionsOf = (text: string): Option.Option<Arr.NonEmptyReadonlyArray<Revision.Revision>> => {
  const ids = Arr.map(text.split(","), (id) => id.trim())
  return ids.every(isRevisionId) && Arr.isReadonlyArrayNonEmpty(ids)
    ? Option.some(Arr.map(ids, (id) => Revision.revisions[id]))
    : Option.none()
}

const isRevisionId = (id: string): id is Revision.RevisionId => Object.hasOwn(Revision.revisions, id)

export const revision: Flag.Flag<Revision.Revision> = Flag.Literals(
  "revision",
  Object.keys(Revision.revisions) as Array<Revision.RevisionId>
).pipe(
  Flag.withDescription(
    "Revision of the protocol to speak: one that the Server speaks, and the same for everyone in an office [default 0.4]"
  ),
  Flag.withDefault(Revision.defaultRevision.id),
  Flag.map((id) => Revision.revisions[id])
)

/** A list, as the one who listens has it. */
export const revisions: Flag.Flag<Arr.NonEmptyReadonlyArray<Revision.Revision>> = Flag.String("revisions").pipe(
  Flag.withMetavar("<list>"),
  Flag.withDescription(
    `Revisions of the protocol that peers may speak, joined by commas, of ${knownRevisions}; peers that announce none ` +
      "speak 0.1. The members of one office speak the same [env SMCP_REVISIONS, default 0.4]"
  ),
  Flag.withFallbackConfig(Config.String("SMCP_REVISIONS")),
  Flag.withDefault<string>(Revision.defaultRevision.id),
  Flag.filterMap(revisionsOf, (text) => `Expected some of ${knownRevisions} joined by commas, not "${text}"`)
)

export const json: Flag.Flag<boolean> = toggle("json", "Print JSON, one value a line")

export const exitWithStdin: Flag.Flag<boolean> = toggle(
  "exit-with-stdin",
  "Also end when standard input ends, for a program that starts this one and may itself be killed"
)

/** How much of a desktop. */
export const size: Flag.Flag<Option.Option<number>> = Flag.Int("size").pipe(
  Flag.withMetavar("<n>"),
  Flag.withDescription("At most so many windows [default all]"),
  Flag.filter((size) => size >= 0, () => "Expected 0 or more"),
  Flag.optional
)

/** Which window of a desktop. */
export const window: Flag.Flag<Option.Option<string>> = Flag.String("window").pipe(
  Flag.withAlias("w"),
  Flag.withMetavar("<uri>"),
  Flag.withDescription("Only the window with exactly this URI"),
  Flag.optional
)

/** The file with the MCP servers. */
export const config: Flag.Flag<string> = Flag.String("config").pipe(
  Flag.withAlias("c"),
  Flag.withMetavar("<file>"),
  Flag.withDescription("The MCP servers to host: an mcp.json with \"mcpServers\" or \"servers\" [env SMCP_CONFIG]"),
  Flag.withFallbackConfig(Config.String("SMCP_CONFIG"))
)

/** Which tool calls run. */
export const approve: Flag.Flag<Option.Option<Mode>> = Flag.Literals("approve", MODES).pipe(
  Flag.withDescription(
    "Which tool calls run whose \"auto_apply\" is not true in the config: those that you confirm (ask), those of tools " +
      "that their servers declare to be read-only, or all [env SMCP_APPROVE, default ask at a terminal, else read-only]"
  ),
  Flag.withFallbackConfig(Config.Literals(MODES, "SMCP_APPROVE")),
  Flag.optional
)

/** Several files with MCP servers; without one `SMCP_CONFIG` stands in for it. */
export const configs: Flag.Flag<ReadonlyArray<string>> = Flag.String("config").pipe(
  Flag.withAlias("c"),
  Flag.withMetavar("<file>"),
  Flag.withDescription(
    "A file with MCP servers; may be given several times, and a later file counts more [env SMCP_CONFIG]"
  ),
  Flag.atLeast(0)
)
