/**
 * The connections of one client. Node's agent forgets a connection that has
 * become a WebSocket, and nobody else could end one whose peer is gone.
 */
import * as Effect from "effect/Effect"
import * as Http from "node:http"
import * as Https from "node:https"
import type { Duplex } from "node:stream"

export interface OpenSockets {
  /** Makes all connections of the client. */
  readonly agent: Http.Agent
  /** Cuts every connection, without a goodbye. */
  readonly cut: () => void
  /** Gives the goodbyes under way a moment, and cuts what is still open then. */
  readonly letGo: Effect.Effect<void>
}

const FAREWELL_MILLIS = 1000

export const make = (secure: boolean): OpenSockets => {
  const agent = secure ? new Https.Agent() : new Http.Agent()
  const open = new Set<Duplex>()
  const create = agent.createConnection.bind(agent)
  agent.createConnection = (options, onCreated) => {
    const socket = create(options, onCreated)
    if (socket) open.add(socket.once("close", () => open.delete(socket)))
    return socket
  }
  const cut = () => open.forEach((socket) => socket.destroy())
  return {
    agent,
    cut,
    letGo: Effect.callback((resume) => {
      const deadline = performance.now() + FAREWELL_MILLIS
      // The clock of the sockets, whatever Effect's clock is in a test.
      // @effect-diagnostics-next-line globalTimersInEffect:off
      const timer = setInterval(() => {
        if (open.size > 0 && performance.now() < deadline) return
        clearInterval(timer)
        cut()
        agent.destroy()
        resume(Effect.void)
      }, 5)
    })
  }
}
