/** The yardstick: the least that relays a call over Socket.IO and still has a deadline. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Server, type Socket } from "socket.io"
import { serveParent } from "./parent.ts"

const http = createServer()
const io = new Server(http, { serveClient: false, maxHttpBufferSize: 1e6, pingInterval: 25_000, pingTimeout: 20_000 })
const seats = new Map<string, Socket>()
const useEmitWithAck = process.argv.includes("--emit-with-ack")

io.of("/smcp").on("connection", (socket) => {
  socket.on("server:join_office", ({ name, office_id, role }, ack) => {
    socket.data.office = office_id
    if (role === "computer") seats.set(`${office_id}/${name}`, socket)
    ack(true, null)
  })
  socket.on("client:tool_call", (payload, ack) => {
    const computer = seats.get(`${socket.data.office}/${payload.computer}`)
    if (computer === undefined) return ack({ code: 404, message: "No such computer" })
    const target = computer.timeout((payload.timeout + 5) * 1000)
    if (useEmitWithAck) target.emitWithAck("client:tool_call", payload).then(ack, () => ack(late))
    else target.emit("client:tool_call", payload, (error: Error | null, result: unknown) => ack(error ? late : result))
  })
})
const late = { code: 408, message: "The computer did not answer in time" }

http.listen(0, "127.0.0.1", () => serveParent(`http://127.0.0.1:${(http.address() as AddressInfo).port}`))
