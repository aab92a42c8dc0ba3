/**
 * What a person has decided for good, tool by tool.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { stat } from "node:fs/promises"
import { attemptExisting, type FileFailure, readOwnFile, replaceFile } from "../files.ts"
import { whileLocked } from "../lockFile.ts"

/** A decision that is remembered. It holds as long as the tool is what it was. */
export const Approval = Schema.Struct({
  /** The bundle id of the server. */
  server: Schema.String,
  /** The name under which the server itself knows the tool. */
  tool: Schema.String,
  /** A hash of the program behind the server: of two Computers, each may have another one under the same name. */
  program: Schema.String,
  /** Of the tool as it was then. */
  hash: Schema.String,
  decision: Schema.Literals(["always", "never"]),
  /** When, in milliseconds since 1970. */
  time: Schema.Finite
})
export type Approval = typeof Approval.Type

/** The tool that a decision is about. */
export type Subject = Pick<Approval, "server" | "tool" | "program">

const File = Schema.fromJsonString(Schema.Struct({
  version: Schema.Literal(1),
  approvals: Schema.Array(Approval)
}))

/** Those of a server, of a tool, or all of them. */
interface Selection {
  readonly server?: string | undefined
  readonly tool?: string | undefined
}

const decode = Schema.decodeUnknownEffect(File)

/** The decisions that are remembered. */
export type Approvals = Effect.Success<ReturnType<typeof makeApprovals>>

/**
 * Remembers decisions as long as it lives, and longer when there is a file. Others may write that file as well: it is
 * looked at each time. What is wrong with it is logged, once, and the decisions are kept in memory from then on.
 */
export const makeApprovals = Effect.fnUntraced(function*(file: string | undefined) {
  let kept: ReadonlyArray<Approval> = []
  let isUsable = file !== undefined
  /** The stamp of the file that `kept` is from. */
  let seen: string | undefined
  // one after the other: the file must not end up with an older state
  const turn = yield* Semaphore.make(1)

  const unusable = ({ message }: { readonly message: string }) => {
    isUsable = false
    return Effect.logWarning(
      `The file of remembered approvals, ${file}, cannot be used: ${message}; repair or remove it and start again, what is ` +
        "decided now is forgotten when the Computer ends"
    )
  }

  const reload = Effect.fnUntraced(function*(path: string) {
    const now = yield* stamp(path)
    if (now === seen) return
    kept = yield* read(path)
    seen = now
  })
  const load = Effect.suspend(() => file === undefined || !isUsable ? Effect.void : reload(file)).pipe(
    Effect.catch(unusable),
    Effect.map(() => kept)
  )

  const locked = <A>(self: Effect.Effect<A>): Effect.Effect<A> =>
    Effect.suspend(() => file !== undefined && isUsable ? whileLocked(`${file}.lock`, self) : self)

  const change = (update: (approvals: ReadonlyArray<Approval>) => ReadonlyArray<Approval>) =>
    Effect.gen(function*() {
      const before = yield* load
      kept = update(before)
      if (file !== undefined && isUsable) yield* Effect.catch(write(file, kept), unusable)
      return before.length - kept.length
    }).pipe(locked, turn.withPermits(1), Effect.uninterruptible)

  return {
    all: load,
    /** As `all`; undefined when the file could not be read even once, so that nobody knows what was decided earlier. */
    known: Effect.map(load, (approvals) => file === undefined || seen !== undefined ? approvals : undefined),
    find: (subject: Subject) => Effect.map(load, (approvals) => approvals.find(isOf(subject))),
    remember: Effect.fnUntraced(function*(approval: Omit<Approval, "time">) {
      const time = yield* Clock.currentTimeMillis
      yield* change((approvals) => [...approvals.filter((each) => !isOf(approval)(each)), { ...approval, time }])
    }),
    /** How many there were. */
    forget: (which: Selection) =>
      Effect.flatMap(load, (approvals) =>
        approvals.some(isAmong(which))
          ? change((current) => current.filter((each) => !isAmong(which)(each)))
          : Effect.succeed(0))
  }
})

const isOf = ({ program, server, tool }: Subject) => (approval: Approval): boolean =>
  approval.server === server && approval.tool === tool && approval.program === program

const isAmong = ({ server, tool }: Selection) => ({ server: ofServer, tool: ofTool }: Approval): boolean =>
  (server === undefined || ofServer === server) && (tool === undefined || ofTool === tool)

/** Another one for a file that was replaced, written to, or given other permissions. */
const stamp = (file: string): Effect.Effect<string, FileFailure> =>
  Effect.map(
    attemptExisting(() => stat(file, { bigint: true })),
    (found) => found === undefined ? "none" : [found.ino, found.mtimeNs, found.ctimeNs, found.size].join(" ")
  )

const read = (file: string): Effect.Effect<ReadonlyArray<Approval>, FileFailure | Schema.SchemaError> =>
  Effect.flatMap(
    readOwnFile(file),
    (text) => text === undefined ? Effect.succeed([]) : Effect.map(decode(text), ({ approvals }) => approvals)
  )

const write = (file: string, approvals: ReadonlyArray<Approval>): Effect.Effect<void, FileFailure> =>
  replaceFile(file, `${JSON.stringify({ version: 1, approvals }, undefined, 2)}\n`)
