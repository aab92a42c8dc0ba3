/** Agents and Computers that are nothing but Socket.IO clients, so that what is measured is the server between them. */
import { io, type Socket } from "socket.io-client"
import type { Caller } from "./ClosedLoop.ts"

export interface ThinPeers {
  /** One caller for each pair of an Agent and a Computer. */
  readonly callers: (payload: Payload) => ReadonlyArray<Caller>
  readonly close: () => void
}

/** What is sent and what comes back, both of the same size in JSON. */
export interface Payload {
  readonly size: number
  readonly params: unknown
  readonly result: { readonly content: ReadonlyArray<unknown>; readonly isError: false }
}

const EVENT = "client:tool_call"
const COMPUTER = "computer"

/** Connects this many pairs, each in an office of its own. WebSocket only: an upgrade in the middle would disturb. */
export const connectPairs = async (url: string, count: number, label: string): Promise<ThinPeers> => {
  const pairs = await Promise.all(Array.from({ length: count }, (_, index) => connectPair(url, `${label}-${index}`)))
  return {
    callers: (payload) => pairs.map((pair) => pair.caller(payload)),
    close: () => pairs.forEach((pair) => pair.close())
  }
}

const connectPair = async (url: string, office: string) => {
  const computer = await connectPeer(url, office, "computer")
  const agent = await connectPeer(url, office, "agent")
  let calls = 0
  return {
    caller: (payload: Payload): Caller => {
      computer.off(EVENT).on(EVENT, (_request: unknown, ack: (result: unknown) => void) => ack(payload.result))
      const expected = payload.result.content.length
      return (done) => {
        const req_id = (calls++).toString(16).padStart(32, "0")
        agent.emit(
          EVENT,
          { agent: "agent", req_id, computer: COMPUTER, tool_name: "echo", params: payload.params, timeout: 30 },
          (result: Partial<Payload["result"]>) => done(result.content?.length === expected)
        )
      }
    },
    close: () => {
      agent.disconnect()
      computer.disconnect()
    }
  }
}

const connectPeer = async (url: string, office_id: string, role: "agent" | "computer"): Promise<Socket> => {
  const socket = io(`${url}/smcp`, { transports: ["websocket"], forceNew: true, query: { a2c_version: "0.4.0" } })
  const name = role === "agent" ? "agent" : COMPUTER
  const joined: unknown = await socket.timeout(5000).emitWithAck("server:join_office", { office_id, role, name })
  if (joined !== true) throw new Error(`The ${role} was not let in: ${JSON.stringify(joined)}`)
  return socket
}

export type Body = "text" | "records"

/** Fills parameters and result so that the whole request, and the result, have this many bytes of JSON. */
export const payloadOf = (size: number, body: Body): Payload => {
  const envelope = { agent: "agent", req_id: "0".repeat(32), computer: COMPUTER, tool_name: "echo", timeout: 30 }
  const params = (filling: unknown) => ({ text: filling })
  const result = (filling: unknown): Payload["result"] =>
    typeof filling === "string"
      ? { content: [{ type: "text", text: filling }], isError: false }
      : { content: [{ type: "records", records: filling }], isError: false }
  return {
    size,
    params: params(fill(body, size, (filling) => ({ ...envelope, params: params(filling) }))),
    result: result(fill(body, size, result))
  }
}

const RECORD = { path: "src/server/Server.ts", line: 42, score: 0.875, matched: true, note: null, text: "export const" }

const fill = (body: Body, size: number, embed: (filling: unknown) => unknown): unknown => {
  const room = size - JSON.stringify(embed(body === "text" ? "" : [])).length
  if (body === "text") return "x".repeat(Math.max(0, room))
  return Array.from({ length: Math.floor(room / (JSON.stringify(RECORD).length + 1)) }, () => RECORD)
}
