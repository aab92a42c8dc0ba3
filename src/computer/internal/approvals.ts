/**
 * What a person has decided for good, tool by tool.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { readFile } from "node:fs/promises"
import { attemptExisting, replaceFile } from "./files.ts"

/** A decision that is remembered. It holds as long as the tool is what it was. */
export const Approval = Schema.Struct({
  /** The bundle id of the server. */
  server: Schema.String,
  /** The name under which the server itself knows the tool. */
  tool: Schema.String,
  /** Of the tool as it was then. */
  hash: Schema.String,
  decision: Schema.Literals(["always", "never"]),
  /** When, in milliseconds since 1970. */
  time: Schema.Finite
})
export type Approval = typeof Approval.Type

/** The tool that a decision is about. */
export type Subject = Pick<Approval, "server" | "tool">

const File = Schema.fromJsonString(Schema.Struct({
  version: Schema.Literal(1),
  approvals: Schema.Array(Approval)
}))

const decode = Schema.decodeUnknownEffect(File)

/** The decisions that are remembered. */
export type Approvals = Effect.Success<ReturnType<typeof makeApprovals>>

/** Remembers decisions as long as it lives, and longer when there is a file. What is wrong with the file is logged. */
export const makeApprovals = Effect.fnUntraced(function*(file: string | undefined) {
  const all = yield* SubscriptionRef.make(file === undefined ? [] : yield* load(file))
  // one after the other: the file must not end up with an older state
  const writing = yield* Semaphore.make(1)

  const change = (update: (approvals: ReadonlyArray<Approval>) => ReadonlyArray<Approval>) =>
    writing.withPermits(1)(Effect.gen(function*() {
      const before = yield* SubscriptionRef.get(all)
      const after = update(before)
      yield* SubscriptionRef.set(all, after)
      if (file !== undefined && after.length + before.length > 0) yield* save(file, after)
      return before.length - after.length
    })).pipe(Effect.uninterruptible)

  return {
    all: SubscriptionRef.get(all),
    find: (subject: Subject) => Effect.map(SubscriptionRef.get(all), (approvals) => approvals.find(isOf(subject))),
    remember: Effect.fnUntraced(function*(approval: Omit<Approval, "time">) {
      const time = yield* Clock.currentTimeMillis
      yield* change((approvals) => [...approvals.filter((each) => !isOf(approval)(each)), { ...approval, time }])
    }),
    /** How many there were. */
    forget: ({ server, tool }: { readonly [key in keyof Subject]?: string | undefined }) =>
      change((approvals) =>
        approvals.filter((each) =>
          (server !== undefined && each.server !== server) || (tool !== undefined && each.tool !== tool)
        )
      )
  }
})

const isOf = ({ server, tool }: Subject) => (approval: Approval): boolean =>
  approval.server === server && approval.tool === tool

const load = (file: string): Effect.Effect<ReadonlyArray<Approval>> =>
  attemptExisting(() => readFile(file, "utf8")).pipe(
    Effect.flatMap((text) => text === undefined ? Effect.succeed([]) : Effect.map(decode(text), (it) => it.approvals)),
    Effect.catch(({ message }) =>
      Effect.as(Effect.logWarning(`The remembered approvals cannot be read, every tool asks again: ${message}`), [])
    )
  )

const save = (file: string, approvals: ReadonlyArray<Approval>): Effect.Effect<void> =>
  replaceFile(file, `${JSON.stringify({ version: 1, approvals }, undefined, 2)}\n`).pipe(
    Effect.catch(({ message }) =>
      Effect.logWarning(`The approval is remembered only until the Computer ends: ${message}`)
    )
  )
