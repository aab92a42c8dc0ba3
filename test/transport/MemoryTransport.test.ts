import { Effect } from "effect"
import * as MemoryTransport from "../../src/transport/MemoryTransport.ts"
import { transportCompliance } from "../support/transportCompliance.ts"

transportCompliance(
  "MemoryTransport",
  Effect.gen(function*() {
    const hub = yield* MemoryTransport.makeHub({ reconnectDelay: "10 millis" })
    return {
      server: yield* MemoryTransport.makeServer(hub),
      connect: (options) => MemoryTransport.connect(hub, options)
    }
  })
)
