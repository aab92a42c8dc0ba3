/**
 * Conversations with our Server, frame by frame, as they are on the wire. Those of 0.1 were captured from the official
 * Server; where that breaks the protocol (no answer, names of the whole namespace, notifications past their office) they
 * say what a Server has to do instead.
 *
 * `A>` says something, `A<` is the next thing that A hears; a line of A waits for nobody but A. `$X` is whatever stands
 * there the first time and the same from then on, `…` is any text. In the end nobody has heard anything else.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, References, type Scope } from "effect"
import { revisions } from "../../src/protocol/Revision.ts"
import * as Conformance from "../../src/testing/Conformance.ts"
import * as RawFrame from "../../src/testing/internal/rawFrame.ts"
import * as RawPeer from "../../src/testing/internal/rawPeer.ts"
import { layerOpenServer, serverUrl } from "../support/socketIoServer.ts"

const ENVELOPE = "\"agent\":\"A\",\"computer\":\"PC\""
const TOOL = "{\"name\":\"t\",\"description\":\"d\",\"params_schema\":{\"type\":\"object\"},\"return_schema\":null," +
  "\"meta\":{\"a\":\"{}\",\"n\":1,\"l\":[\"x\",\"y\"]}}"

const sitting = (joined: string, office = "R") => `
  A> 40/smcp,{}
  A< 40/smcp,{"sid":"$A"}
  A> 42/smcp,0["server:join_office",{"role":"agent","name":"A","office_id":"${office}"}]
  A< 43/smcp,0${joined}
  C> 40/smcp,{}
  C< 40/smcp,{"sid":"$C"}
  C> 42/smcp,0["server:join_office",{"role":"computer","name":"PC","office_id":"${office}"}]
  C< 43/smcp,0${joined}
  A< 42/smcp,["notify:enter_office",{"office_id":"${office}","computer":"PC"}]`

/** What no revision does otherwise. */
const calls = `
  A> 42/smcp,5["an unknown event",{}]
  A< 43/smcp,5[]
  C> 42/smcp,10["server:update_config",{"computer":"PC","extra":1}]
  C< 43/smcp,10[]
  A< 42/smcp,["notify:update_config",{"computer":"PC"}]
  C> 42/smcp,["server:update_tool_list",{"computer":"PC"}]
  A< 42/smcp,["notify:update_tool_list",{"computer":"PC"}]
  A> 42/smcp,["server:tool_call_cancel",{"agent":"A","req_id":"r"}]
  C< 42/smcp,["notify:tool_call_cancel",{"agent":"A","req_id":"r"}]
  A> 42/smcp,23["client:get_tools",{${ENVELOPE},"req_id":"q4","zzz":1}]
  C< 42/smcp,#["client:get_tools",{${ENVELOPE},"req_id":"q4","zzz":1}]
  C> 43/smcp,#[{"tools":[${TOOL}],"req_id":"q4"}]
  A< 43/smcp,23[{"tools":[${TOOL}],"req_id":"q4"}]
  A> 42/smcp,24["client:tool_call",{${ENVELOPE},"req_id":"q5","tool_name":"t","params":{},"timeout":9,"extra":5}]
  C< 42/smcp,#["client:tool_call",{${ENVELOPE},"req_id":"q5","tool_name":"t","params":{},"timeout":9,"extra":5}]
  C> 43/smcp,#["several",null,{"args":[]}]
  A< 43/smcp,24["several",null,{"args":[]}]
  A> 42/smcp,25["client:get_tools",{${ENVELOPE},"req_id":"q6"}]
  C< 42/smcp,#["client:get_tools",{${ENVELOPE},"req_id":"q6"}]
  C> 43/smcp,#[]
  A< 43/smcp,25[]`

const noComputer =
  "{\"code\":404,\"message\":\"Computer with name 'NOPE' not found\",\"details\":{\"computer_name\":\"NOPE\"}}"

const tuple = (list: string) =>
  `${sitting("[true,null]")}
  A2> 40/smcp,{}
  A2< 40/smcp,{"sid":"$A2"}
  A2> 42/smcp,0["server:join_office",{"role":"agent","name":"A2","office_id":"R"}]
  A2< 43/smcp,0[false,"…already…agent…"]
  C2> 40/smcp,{}
  C2< 40/smcp,{"sid":"$C2"}
  C2> 42/smcp,0["server:join_office",{"role":"computer","name":"PC","office_id":"R"}]
  C2< 43/smcp,0[false,"…already exists…"]
  C2> 42/smcp,1["server:join_office",{"role":"computer","name":"PC","office_id":"R2"}]
  C2< 43/smcp,1[true,null]
  A> 42/smcp,1["server:join_office",{"role":"agent","name":"A","office_id":"R9"}]
  A< 43/smcp,1[false,"…"]
  A> 42/smcp,2["server:join_office",{"role":"computer","name":"A","office_id":"R"}]
  A< 43/smcp,2[false,"Role mismatch…"]
  A> 42/smcp,3["server:join_office",{"role":"agent"}]
  A< 43/smcp,3[false,"…"]
  A> 42/smcp,["server:join_office",{"role":"agent","name":"A","office_id":"R"}]
  A> 42/smcp,8["server:list_room",{"agent":"A","req_id":"r1","office_id":"R"}]
  A< 43/smcp,8[{"sessions":[{"sid":"$A","name":"A","role":"agent","office_id":"R"${list}},` +
  `{"sid":"$C","name":"PC","role":"computer","office_id":"R"${list}}],"req_id":"r1"}]
  A> 42/smcp,9["server:list_room",{"agent":"A","req_id":"r1","office_id":"R2"}]
  A< 43/smcp,9[{"code":4104,"message":"…","details":{"office_id":"R2"}}]${calls}
  C> 42/smcp,30["server:join_office",{"role":"computer","name":"PC","office_id":"R5"}]
  C< 43/smcp,30[true,null]
  A< 42/smcp,["notify:leave_office",{"office_id":"R","computer":"PC"}]
  C> 42/smcp,34["server:leave_office",{}]
  C< 43/smcp,34[false,"…"]
  C> 42/smcp,35["server:leave_office",{"office_id":"R"}]
  C< 43/smcp,35[true,null]
  C> 42/smcp,36["server:leave_office",{"office_id":"R"}]
  C< 43/smcp,36[true,null]
  C> 42/smcp,37["server:join_office",{"role":"computer","name":"PCX","office_id":"R"}]
  C< 43/smcp,37[true,null]
  A< 42/smcp,["notify:enter_office",{"office_id":"R","computer":"PCX"}]
  C> 41/smcp,
  A< 42/smcp,["notify:leave_office",{"office_id":"R","computer":"PCX"}]`

const scripts: Readonly<Record<string, string>> = {
  "0.1": `${tuple("")}
  A> 42/smcp,40["client:get_config",{${ENVELOPE},"req_id":"q7"}]
  A< 43/smcp,40[]
  A> 42/smcp,41["client:tool_call",{"agent":"A","req_id":"q1","computer":"NOPE","tool_name":"t","params":{},"timeout":1}]
  A< 43/smcp,41[{"meta":{"error_code":404},"content":[{"type":"text","text":"…NOPE…"}],"structuredContent":null,"isError":true}]`,
  "0.3": `${tuple(",\"a2c_version\":\"0.3.2\"")}
  A> 42/smcp,40["client:put_blob",{${ENVELOPE},"req_id":"q7","chunk_offset":0,"eof":true,"blob":""}]
  A< 43/smcp,40[]
  A> 42/smcp,41["client:tool_call",{"agent":"A","req_id":"q1","computer":"NOPE","tool_name":"t","params":{},"timeout":1}]
  A< 43/smcp,41[${noComputer}]`,
  "0.4": `${tuple(",\"a2c_version\":\"0.4.0\"")}
  A> 42/smcp,40["client:put_blob",{"agent":"A","req_id":"q7","computer":"NOPE","chunk_offset":0,"eof":true,"blob":""}]
  A< 43/smcp,40[${noComputer}]
  A> 42/smcp,41["client:get_tools",{"agent":"A","req_id":"q1","computer":"PC"}]
  A< 43/smcp,41[{"code":404,"message":"Computer with name 'PC' not found","details":{"computer_name":"PC"}}]`,
  "0.5": `${sitting("[]")}
  C2> 40/smcp,{}
  C2< 40/smcp,{"sid":"$C2"}
  C2> 42/smcp,0["server:join_office",{"role":"computer","name":"PC2","office_id":"R"}]
  C2< 43/smcp,0[{"code":4101,"message":"Room already has a computer","details":{"office_id":"R","role":"computer"}}]
  C2> 42/smcp,1["client:get_tools",{${ENVELOPE},"req_id":"q0"}]
  C2< 43/smcp,1[{"code":4103,"message":"…"}]
  C2> 42/smcp,2["client:get_tools",{}]
  C2< 43/smcp,2[{"code":400,"message":"…"}]
  A> 42/smcp,1["server:join_office",{"role":"agent","name":"A","office_id":"R9"}]
  A< 43/smcp,1[{"code":4106,"message":"…","details":{"office_id":"R"}}]
  A> 42/smcp,2["server:join_office",{"role":"computer","name":"A","office_id":"R"}]
  A< 43/smcp,2[{"code":403,"message":"…"}]
  A> 42/smcp,3["server:join_office",{"role":"agent"}]
  A< 43/smcp,3[{"code":400,"message":"…"}]
  A> 42/smcp,4["server:join_office",{"role":"agent","name":"A","office_id":"R"}]
  A< 43/smcp,4[]
  A> 42/smcp,9["server:list_room",{"agent":"A","req_id":"r1","office_id":"R2"}]
  A< 43/smcp,9[{"code":4104,"message":"…","details":{"office_id":"R2"}}]${calls}
  C> 42/smcp,34["server:leave_office",{}]
  C< 43/smcp,34[{"code":400,"message":"…"}]
  C> 42/smcp,35["server:leave_office",{"office_id":"R"}]
  C< 43/smcp,35[]
  A< 42/smcp,["notify:leave_office",{"office_id":"R","computer":"PC"}]
  C2> 42/smcp,3["server:join_office",{"role":"computer","name":"PC2","office_id":"R"}]
  C2< 43/smcp,3[]
  A< 42/smcp,["notify:enter_office",{"office_id":"R","computer":"PC2"}]
  A> 42/smcp,41["client:get_tools",{${ENVELOPE},"req_id":"q1"}]
  A< 43/smcp,41[{"code":404,"message":"Computer with name 'PC' not found","details":{"computer_name":"PC"}}]`
}

// The ids of a Server's own requests are its affair.
const DYNAMIC_ID = "#"

/** Plays a script; every line has two seconds. */
const play = Effect.fnUntraced(function*(
  script: string,
  connect: Effect.Effect<RawPeer.RawPeer, RawPeer.RawFailure, Scope.Scope>
) {
  const peers = new Map<string, RawPeer.RawPeer>()
  const known = new Map<string, string>()
  let requestId = ""
  for (const line of script.split("\n").map((each) => each.trim()).filter((each) => each !== "")) {
    const [, who = "", direction, frame = ""] = /^(\w+)([<>]) (.*)$/s.exec(line) ?? []
    const peer = peers.get(who) ?? (yield* connect)
    peers.set(who, peer)
    if (direction === ">") {
      yield* peer.send(frame.replace(`,${DYNAMIC_ID}[`, `,${requestId}[`))
      continue
    }
    const heard = yield* peer.take(() => true, 2000)
    if (heard === undefined) return assert.fail(`Nothing came instead of ${line}`)
    if (frame.includes(`,${DYNAMIC_ID}[`)) requestId = String(heard.id)
    const expected = RawFrame.canonical(frame.replace(`,${DYNAMIC_ID}[`, `,${requestId}[`))
    const actual = RawFrame.canonical(heard.text)
    if (!matches(expected, actual, known)) assert.strictEqual(`${who}< ${actual}`, `${who}< ${expected}`)
  }
  for (const [who, peer] of peers) {
    assert.deepStrictEqual(peer.drain(() => true).map(({ text }) => text), [], `${who} has heard more`)
  }
})

const matches = (expected: string, actual: string, known: Map<string, string>): boolean => {
  const names: Array<string> = []
  const pattern = expected.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll("…", ".*").replace(
    /\\\$(\w+)/g,
    (_, name: string) => {
      const value = known.get(name)
      if (value !== undefined) return value.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
      names.push(name)
      return "([^\"]+)"
    }
  )
  const found = new RegExp(`^${pattern}$`, "s").exec(actual)
  names.forEach((name, index) => known.set(name, found?.[index + 1] ?? ""))
  return found !== null
}

const quiet = Layer.succeed(References.MinimumLogLevel, "None")

describe("the golden frames", () => {
  it.live.each(Object.entries(scripts))("of %s", ([id, script]) => {
    const revision = revisions[id as keyof typeof revisions]
    return Effect.gen(function*() {
      const address = { url: yield* serverUrl }
      const query: Record<string, string> = revision.handshake === "query" ? { a2c_version: revision.version } : {}
      yield* Conformance.reach({ ...address, revision })
      yield* play(script, RawPeer.make(address, query))
    }).pipe(Effect.provide(layerOpenServer({ revisions: [revision] }).pipe(Layer.provide(quiet))))
  })

  it("are matched as a whole, and what a name stands for is the same everywhere", () => {
    const known = new Map<string, string>()
    assert.isTrue(matches("40/smcp,{\"sid\":\"$A\"}", "40/smcp,{\"sid\":\"x.1\"}", known))
    assert.isTrue(matches("[\"$A\",\"…\"]", "[\"x.1\",\"any\"]", known))
    assert.isFalse(matches("[\"$A\"]", "[\"xy1\"]", known))
    assert.isFalse(matches("[]", "[1]", known))
  })
})
