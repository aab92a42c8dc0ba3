/**
 * What each error means and what to do about it, in words: the texts of
 * `docs/errors.md`. Apart from the errors themselves, so that nobody who only
 * speaks the protocol loads them; an error without an entry does not compile.
 */
import type { SpecificationPage } from "./EventCatalogue.ts"
import type { BlobTransferFailed, ConnectionLost, Reason } from "./SmcpError.ts"
import type { BlobNotAccessibleReason, BlobWriteFailedReason } from "./WireError.ts"

/** Who makes an error; `nobody`: the code is set aside and a conforming peer never sends it. */
export type Origin = "Server" | "Computer" | "this side" | "nobody"

/** How an error reaches the one who asked. */
export type Carrier =
  /** As a flat error in place of the answer. */
  | "acknowledgement"
  /** In a tool's result, as `meta.error_code`. */
  | "tool result"
  /** Before there is a connection: in the body of an HTTP 400, or in the refusal of the namespace. */
  | "handshake"

/** Whether the same request may have another end when it is made again. */
export type Repeat =
  /** Yes, after a while. */
  | "later"
  /** No, until what is wrong has been changed. */
  | "after a change"
  /** The request may have been carried out already: look first. */
  | "after a look"

/** One error in words. */
export interface ErrorEntry {
  readonly meaning: string
  readonly origin: ReadonlyArray<Origin>
  /** Absent for what does not travel. */
  readonly carrier?: ReadonlyArray<Carrier>
  readonly repeat: Repeat
  /** What to do. */
  readonly remedy: string
  /** The page of the specification that tells most about it; absent for what no specification knows. */
  readonly page?: SpecificationPage
}

/** An error that has kinds: which field tells them apart, and what each means. */
export interface KindsEntry<Kind extends string> extends ErrorEntry {
  readonly kindField: string
  readonly kinds: { readonly [K in Kind]: string }
}

/** The errors with kinds. Those of the wire are open: a peer may send another one. */
interface Kinds {
  readonly SkillResourceNotAccessible: "traversal" | "forbidden" | "not_found" | "too_large"
  readonly BlobNotAccessible: BlobNotAccessibleReason
  readonly BlobWriteFailed: BlobWriteFailedReason
  readonly ConnectionLost: ConnectionLost["outcome"]
  readonly BlobTransferFailed: BlobTransferFailed["problem"]
}

type EntryOf<Tag extends Reason["_tag"]> = Tag extends keyof Kinds ? KindsEntry<Kinds[Tag]> : ErrorEntry

/** Every reason of an `SmcpError` in words. */
export const errors: { readonly [Tag in Reason["_tag"]]: EntryOf<Tag> } = {
  BadRequest: {
    meaning: "The payload does not fit the event: a key is missing or has the wrong type, a request id is already in " +
      "use, or the handshake carried no version that can be read.",
    origin: ["Server", "Computer", "this side"],
    carrier: ["acknowledgement", "handshake"],
    repeat: "after a change",
    remedy: "The message names the key. From a program of your own: correct the payload. From a library: its version " +
      "does not fit the peer's.",
    page: "error-handling"
  },
  Unauthorized: {
    meaning:
      "The peer did not show a key that the Server accepts. This package reports it as `AuthenticationRejected`.",
    origin: ["Server"],
    carrier: ["handshake"],
    repeat: "after a change",
    remedy: "Give the Server's key: `--api-key`, `SMCP_API_KEY`, or `apiKey` in a program.",
    page: "error-handling"
  },
  Forbidden: {
    meaning:
      "The session may not do this: a Computer made a call that only Agents may make, or a session asked for a " +
      "seat in another role or under another name than it has, or in an office whose members speak another revision.",
    origin: ["Server"],
    carrier: ["acknowledgement"],
    repeat: "after a change",
    remedy:
      "Use one connection for each role, leave the office before joining under another name, and speak the revision of the office.",
    page: "room-model"
  },
  NotFound: {
    meaning:
      "No Computer with this name sits in the caller's office, or it went away before it answered. A Computer of " +
      "another office looks the same.",
    origin: ["Server"],
    carrier: ["acknowledgement"],
    repeat: "after a look",
    remedy:
      "`smcp agent computers`, or `agent.computers`, lists who is there. If the Computer left in the middle of a " +
      "tool call, the tool may have run.",
    page: "error-handling"
  },
  RequestTimeout: {
    meaning: "The Computer, or an MCP server behind it, did not answer in time.",
    origin: ["Server", "Computer"],
    carrier: ["acknowledgement"],
    repeat: "later",
    remedy: "See what the Computer's log says. A tool call never ends with this: its result carries the mark " +
      "`a2c_timeout`.",
    page: "error-handling"
  },
  InternalError: {
    meaning:
      "Something failed inside the peer, or its answer was too large to be sent. It does not say more than that.",
    origin: ["Server", "Computer"],
    carrier: ["acknowledgement", "handshake"],
    repeat: "later",
    remedy: "The cause stands in the log of the peer that answered, not in the error.",
    page: "error-handling"
  },
  ToolNotFound: {
    meaning: "No running MCP server of the Computer has a tool of this name.",
    origin: ["Computer"],
    carrier: ["tool result"],
    repeat: "after a change",
    remedy:
      "`smcp agent tools` lists the names; they begin with the MCP server's bundle id. If the name was right, the " +
      "MCP server has ended: see the Computer's log.",
    page: "error-handling"
  },
  ToolDisabled: {
    meaning: "The Computer's configuration forbids this tool.",
    origin: ["Computer"],
    carrier: ["tool result"],
    repeat: "after a change",
    remedy:
      "Take the tool out of `forbidden_tools` at the Computer. A Computer of this package does not offer such a " +
      "tool at all, and answers 4001.",
    page: "error-handling"
  },
  ToolExecutionFailed: {
    meaning:
      "The MCP server could not run the tool, or its result could not be kept or sent. A tool that ran and says " +
      "itself that it failed has no code.",
    origin: ["Computer"],
    carrier: ["tool result"],
    repeat: "after a look",
    remedy: "The result's text says why. The Computer's log has more, such as the last lines of the MCP server.",
    page: "error-handling"
  },
  ToolTimeout: {
    meaning:
      "The tool did not finish in time. Peers mark the result with `a2c_timeout` instead, and so does this package.",
    origin: ["Computer"],
    carrier: ["tool result"],
    repeat: "after a look",
    remedy: "Allow the call more time (`--timeout`). The tool was told to stop; what it had done by then stays done.",
    page: "error-handling"
  },
  ToolConfirmationRequired: {
    meaning: "A person at the Computer has to agree to this call first.",
    origin: ["Computer"],
    carrier: ["tool result"],
    repeat: "after a change",
    remedy: "Have it confirmed at the Computer, or set `auto_apply` for the tool in its configuration.",
    page: "error-handling"
  },
  ToolAuthorizationRequired: {
    meaning: "The MCP server behind the tool wants an authorization that the Computer does not have.",
    origin: ["Computer"],
    carrier: ["tool result"],
    repeat: "after a change",
    remedy:
      "Authorize at the Computer, for the MCP server that the error names. Never send credentials through the Agent.",
    page: "error-handling"
  },
  ToolAuthorizationFailed: {
    meaning:
      "The MCP server behind the tool did not accept the authorization that the Computer has: expired, revoked, or " +
      "not enough for this.",
    origin: ["Computer"],
    carrier: ["tool result"],
    repeat: "after a change",
    remedy: "Authorize again at the Computer, or with more rights.",
    page: "error-handling"
  },
  ProtocolVersionMismatch: {
    meaning:
      "Client and Server speak different revisions of the protocol. There is no connection yet when this is found. " +
      "A Server of this package that accepts several names them in `details.supported_versions`.",
    origin: ["Server"],
    carrier: ["handshake"],
    repeat: "after a change",
    remedy:
      "Use the `--revision` (in a program: `revision`) that the error names, or let the Server accept this one too.",
    page: "versioning"
  },
  McpServerNotFound: {
    meaning:
      "The Computer has no such MCP server, or it does not run or not answer; or there is no skill of this name.",
    origin: ["Computer"],
    carrier: ["acknowledgement"],
    repeat: "after a change",
    remedy: "`client:get_config` lists the MCP servers, `client:get_skills` the skills. Whether a server runs, the " +
      "Computer's log tells.",
    page: "error-handling"
  },
  McpCapabilityNotSupported: {
    meaning: "The MCP server runs, but does not offer what the request needs, such as resources.",
    origin: ["Computer"],
    carrier: ["acknowledgement"],
    repeat: "after a change",
    remedy: "Leave this server out of requests of this kind.",
    page: "error-handling"
  },
  InvalidSkillName: {
    meaning: "The text is not of the form that a skill's name has.",
    origin: ["Computer"],
    carrier: ["acknowledgement"],
    repeat: "after a change",
    remedy: "Use a name from `client:get_skills` exactly as it stands there.",
    page: "skill"
  },
  SkillResourceNotAccessible: {
    meaning: "The skill exists, but this file of it cannot be had.",
    origin: ["Computer"],
    carrier: ["acknowledgement"],
    repeat: "after a change",
    remedy: "Use a path that the skill's `SKILL.md` names.",
    page: "skill",
    kindField: "details.reason",
    kinds: {
      traversal: "The path leads out of the skill's folder.",
      forbidden: "The file is one that is never given away, whether it exists or not.",
      not_found: "The skill has no such file.",
      too_large: "The file is larger than the Computer sends; `total_size` has its bytes."
    }
  },
  BlobNotAccessible: {
    meaning: "What the handle stands for cannot be read, or can no longer.",
    origin: ["Computer"],
    carrier: ["acknowledgement"],
    repeat: "after a change",
    remedy: "Depends on the reason. The Agent of this package reads ranges itself and never asks outside of them.",
    page: "blob-transfer",
    kindField: "details.reason",
    kinds: {
      invalid_handle:
        "This Computer never gave out such a handle. Handles belong to one Computer and are passed on whole.",
      forbidden: "The handle is genuine, but what it stands for may no longer be read.",
      gone: "The source was deleted or has expired: make the request again that brought the handle.",
      range: "The offset lies outside of the blob: begin again at 0."
    }
  },
  BlobWriteFailed: {
    meaning: "The Computer did not take an upload. Every new attempt begins at 0 with a new upload id.",
    origin: ["Computer"],
    carrier: ["acknowledgement"],
    repeat: "after a change",
    remedy: "Depends on the reason.",
    page: "blob-transfer",
    kindField: "details.reason",
    kinds: {
      invalid_upload: "The Computer does not know the upload: it was idle too long, has ended, or the Computer was " +
        "restarted. Upload again.",
      invalid_declaration: "The first chunk lacks size or hash, the size is 0, or a later chunk declares them again.",
      range: "A chunk does not begin where the one before it ended, or the sum is not the declared size.",
      too_large: "The file is larger than the Computer takes; nothing was written.",
      busy: "As many uploads are running as the Computer allows: wait, then upload again.",
      forbidden: "The Computer has no landing root, or cannot write there: start it with `--landing-root DIR`.",
      integrity:
        "The bytes that came do not have the declared hash; they were dropped. Check the source, upload again.",
      io_error: "The Computer could not write the file, for example because its disk is full: see its log."
    }
  },
  RoomFull: {
    meaning: "The office has no free seat for this role, or the name is taken in it.",
    origin: ["Server"],
    carrier: ["acknowledgement"],
    repeat: "later",
    remedy:
      "End the one who sits there, or choose another name or office. A peer that vanished keeps its seat until the " +
      "Server misses its heartbeats, up to 45 s by default; this package waits for that after a reconnect of its own.",
    page: "room-model"
  },
  RoomNotFound: {
    meaning: "Reserved: offices come into being when somebody joins.",
    origin: ["nobody"],
    repeat: "after a change",
    remedy: "Whoever sends it breaks the protocol; report it to the peer's author.",
    page: "room-model"
  },
  NotInRoom: {
    meaning: "The request needs an office, and the session sits in none.",
    origin: ["Server"],
    carrier: ["acknowledgement"],
    repeat: "later",
    remedy: "Join first. After a reconnect this package joins again by itself: wait for the state `Joined`.",
    page: "room-model"
  },
  CrossRoomAccess: {
    meaning: "The request names another office than the session's own.",
    origin: ["Server"],
    carrier: ["acknowledgement"],
    repeat: "after a change",
    remedy: "Ask only about one's own office; use a connection for each.",
    page: "room-model"
  },
  NameConflict: {
    meaning: "Reserved: a name that is taken is answered with 4101.",
    origin: ["nobody"],
    repeat: "later",
    remedy: "Whoever sends it breaks the protocol; this package treats it like a taken seat.",
    page: "room-model"
  },
  AlreadyInRoom: {
    meaning: "An Agent sits in one office at a time, and this one has a seat already.",
    origin: ["Server"],
    carrier: ["acknowledgement"],
    repeat: "after a change",
    remedy: "Leave first, or use a second connection.",
    page: "room-model"
  },
  UnknownCode: {
    meaning: "The peer answered with a code that this version does not know. The whole error is kept in `payload`.",
    origin: ["Server", "Computer"],
    carrier: ["acknowledgement", "handshake"],
    repeat: "after a change",
    remedy: "Read the message; a newer version of this package may know the code."
  },
  NotConnected: {
    meaning: "There is no connection to the Server, so nothing was sent.",
    origin: ["this side"],
    repeat: "later",
    remedy:
      "At the start: check the URL and that the Server runs. Afterwards: the connection comes back by itself; call " +
      "again then. Calls are never queued."
  },
  ConnectionLost: {
    meaning: "The connection went away during a call.",
    origin: ["this side"],
    repeat: "after a look",
    remedy: "Nothing is repeated by itself. Find out what happened before calling a tool again that changes something.",
    kindField: "outcome",
    kinds: {
      "not-sent": "The peer never saw the call: it may be made again.",
      unknown: "The call may have been carried out, in whole or in part."
    }
  },
  CallTimeout: {
    meaning: "No answer came within this side's own deadline.",
    origin: ["this side"],
    repeat: "after a look",
    remedy: "The peer may be busy, gone, or not know the event. A tool call ends with the outcome `TimedOut` instead."
  },
  UnsupportedByPeer: {
    meaning: "The peer answered with nothing, as one does that does not know the event.",
    origin: ["this side"],
    repeat: "after a change",
    remedy: "The peer is older than the event, or does not offer it: use a newer version of it, or do without."
  },
  InvalidResponse: {
    meaning: "The peer answered with something that the event does not allow.",
    origin: ["this side"],
    repeat: "after a look",
    remedy: "The message says what was expected. Report it to the author of the peer."
  },
  PayloadTooLarge: {
    meaning: "The message is larger than the Server takes. It was not sent, and the connection lives.",
    origin: ["this side"],
    repeat: "after a change",
    remedy: "Send less, upload it as a file (`agent.upload`) and pass the path, or start the Server with a larger " +
      "`--max-payload`."
  },
  BlobTransferFailed: {
    meaning: "Bytes could not be carried whole, as this side found out.",
    origin: ["this side"],
    repeat: "after a look",
    remedy: "Depends on the problem.",
    kindField: "problem",
    kinds: {
      changed: "The Computer's source became another one at every attempt to read it: wait until it is at rest.",
      corrupt:
        "The bytes do not have the hash that the Computer promised: read again; if it stays, the Computer is wrong.",
      "too-large": "There are more bytes than the caller takes: raise `maxBytes`, or read them as a stream.",
      empty: "There is nothing to upload: the protocol does not carry empty files.",
      source: "What is to be uploaded cannot be read, or is not of the declared size."
    }
  },
  AuthenticationRejected: {
    meaning: "The Server refused the handshake, or there were no credentials to show.",
    origin: ["this side"],
    repeat: "after a change",
    remedy:
      "Give the Server's key: `--api-key`, `SMCP_API_KEY`, or `apiKey` in a program. The Server's log has a line " +
      "about every refusal."
  },
  JoinRefused: {
    meaning:
      "The Server did not let the session into the office and said why in words only, as revisions up to 0.4 do.",
    origin: ["this side"],
    repeat: "later",
    remedy: "Mostly a taken seat or name, see 4101: end the one who sits there, or choose another name or office."
  },
  ListenFailed: {
    meaning: "The Server cannot listen on this address.",
    origin: ["this side"],
    repeat: "after a change",
    remedy: "The message says why: choose another `--port` (0 takes a free one) or `--host`."
  },
  ConfigInvalid: {
    meaning: "A setting or a config file is missing or wrong.",
    origin: ["this side"],
    repeat: "after a change",
    remedy: "The message says which one, and how to mend it."
  }
}
