import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Background from "../../../transport/Background.ts"
import { McpManager } from "../../McpManager.ts"
import { ResultTransform } from "../../ResultTransform.ts"
import type { ServerEntry } from "../../ServerEntry.ts"

/** Checks the scripts of every server as soon as it is configured, so that a broken one is told of before a call needs it. */
export const layer: Layer.Layer<never, never, McpManager | ResultTransform> = Layer.effectDiscard(
  Effect.gen(function*() {
    const { changes } = yield* McpManager
    const { check } = yield* ResultTransform
    const seen = new WeakSet<ServerEntry>()
    yield* changes.pipe(
      Stream.runForEach((states) => {
        const fresh = states.filter(({ entry }) => !seen.has(entry))
        for (const { entry } of fresh) seen.add(entry)
        return Effect.forEach(fresh, ({ entry }) => check(entry), { discard: true })
      }),
      Background.fork("Checking the scripts of servers")
    )
  })
)
