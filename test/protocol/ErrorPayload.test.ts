import { assert, describe, it } from "@effect/vitest"
import * as ErrorPayload from "../../src/protocol/ErrorPayload.ts"
import * as SmcpError from "../../src/protocol/SmcpError.ts"
import * as WireError from "../../src/protocol/WireError.ts"

/** Every coded error with all of its own fields, and the payload it has to be. */
const errors: ReadonlyArray<readonly [error: WireError.CodedError, payload: Readonly<Record<string, unknown>>]> = [
  [new WireError.BadRequest({ message: "m" }), { code: 400 }],
  [new WireError.Unauthorized({ message: "m" }), { code: 401 }],
  [new WireError.Forbidden({ message: "m" }), { code: 403 }],
  [new WireError.NotFound({ message: "m", computerName: "X" }), { code: 404, details: { computer_name: "X" } }],
  [new WireError.RequestTimeout({ message: "m" }), { code: 408 }],
  [new WireError.InternalError({ message: "m" }), { code: 500 }],
  [new WireError.ToolNotFound({ message: "m" }), { code: 4001 }],
  [new WireError.ToolDisabled({ message: "m" }), { code: 4002 }],
  [new WireError.ToolExecutionFailed({ message: "m" }), { code: 4003 }],
  [new WireError.ToolTimeout({ message: "m" }), { code: 4004 }],
  [new WireError.ToolConfirmationRequired({ message: "m" }), { code: 4005 }],
  [new WireError.ToolAuthorizationRequired({ message: "m", mcpServer: "s" }), { code: 4006, mcp_server: "s" }],
  [new WireError.ToolAuthorizationFailed({ message: "m", mcpServer: "s" }), { code: 4007, mcp_server: "s" }],
  [
    new WireError.ProtocolVersionMismatch({
      message: "m",
      serverVersion: "0.4.0",
      clientVersion: "0.3.0",
      minSupported: "0.4.0",
      maxSupported: "0.4.999"
    }),
    {
      code: 4008,
      server_version: "0.4.0",
      client_version: "0.3.0",
      min_supported: "0.4.0",
      max_supported: "0.4.999"
    }
  ],
  [new WireError.McpServerNotFound({ message: "m", mcpServer: "s" }), { code: 4014, mcp_server: "s" }],
  [
    new WireError.McpCapabilityNotSupported({ message: "m", mcpServer: "s", capability: "resources" }),
    { code: 4015, mcp_server: "s", capability: "resources" }
  ],
  [new WireError.InvalidSkillName({ message: "m", name: "n" }), { code: 4016, details: { name: "n" } }],
  [
    new WireError.SkillResourceNotAccessible({ message: "m", reason: "too_large", relPath: "a/b", totalSize: 7 }),
    { code: 4017, details: { reason: "too_large", rel_path: "a/b", total_size: 7 } }
  ],
  [new WireError.BlobNotAccessible({ message: "m", reason: "gone" }), { code: 4018, details: { reason: "gone" } }],
  [
    new WireError.BlobWriteFailed({ message: "m", reason: "busy", uploadId: "u", chunkOffset: 3, totalSize: 9 }),
    { code: 4019, details: { reason: "busy", upload_id: "u", chunk_offset: 3, total_size: 9 } }
  ],
  [
    new WireError.RoomFull({ message: "m", officeId: "o", role: "agent" }),
    { code: 4101, details: { office_id: "o", role: "agent" } }
  ],
  [new WireError.RoomNotFound({ message: "m", officeId: "o" }), { code: 4102, details: { office_id: "o" } }],
  [new WireError.NotInRoom({ message: "m" }), { code: 4103 }],
  [new WireError.CrossRoomAccess({ message: "m", officeId: "o" }), { code: 4104, details: { office_id: "o" } }],
  [new WireError.NameConflict({ message: "m" }), { code: 4105 }],
  [new WireError.AlreadyInRoom({ message: "m", officeId: "o" }), { code: 4106, details: { office_id: "o" } }]
]

/** Payloads as other implementations send them, and what is read from them. */
const foreign: ReadonlyArray<readonly [payload: { readonly code: number }, fields: Readonly<Record<string, unknown>>]> =
  [
    [
      { code: 404, message: "Computer with name 'X' not found", details: { computer_name: "X" } } as never,
      { _tag: "NotFound", message: "Computer with name 'X' not found", computerName: "X" }
    ],
    [
      { code: 4014, message: "MCP Server not registered", mcp_server: "git" } as never,
      { _tag: "McpServerNotFound", mcpServer: "git" }
    ],
    [
      { code: 4014, message: "Skill not found", details: { name: "s" } } as never,
      { _tag: "McpServerNotFound", message: "Skill not found", details: { name: "s" } }
    ],
    [
      {
        code: 4015,
        message: "MCP Server does not support 'resources' capability",
        mcp_server: "git",
        capability: "resources"
      } as never,
      { _tag: "McpCapabilityNotSupported", mcpServer: "git", capability: "resources" }
    ],
    [
      { code: 4016, message: "Invalid skill name", details: { name: "../x" } } as never,
      { _tag: "InvalidSkillName", name: "../x", message: "Invalid skill name" }
    ],
    [
      {
        code: 4017,
        message: "Skill resource not accessible",
        details: { reason: "too_large", rel_path: "a", total_size: 12 }
      } as never,
      { _tag: "SkillResourceNotAccessible", reason: "too_large", relPath: "a", totalSize: 12 }
    ],
    [
      { code: 4018, message: "Blob not accessible", details: { reason: "range" } } as never,
      { _tag: "BlobNotAccessible", reason: "range" }
    ],
    [
      { code: 4019, message: "Blob write failed", details: { reason: "a reason of tomorrow" } } as never,
      { _tag: "BlobWriteFailed", reason: "a reason of tomorrow" }
    ]
  ]

describe("ErrorPayload", () => {
  it("has a case here for every code", () => {
    assert.deepStrictEqual(
      errors.map(([error]) => error._tag),
      WireError.classes.map((self) => self.identifier) as ReadonlyArray<string> as never
    )
    assert.deepStrictEqual(
      errors.map(([, { code }]) => code),
      [
        ...[400, 401, 403, 404, 408, 500, 4001, 4002, 4003, 4004, 4005, 4006, 4007, 4008],
        ...[4014, 4015, 4016, 4017, 4018, 4019, 4101, 4102, 4103, 4104, 4105, 4106]
      ]
    )
  })

  it.each(errors.map(([error, payload]) => [error._tag, error, payload] as const))(
    "encodes and decodes %s",
    (tag, error, payload) => {
      const wire = ErrorPayload.encode(error)
      assert.deepStrictEqual(JSON.parse(JSON.stringify(wire)), { message: "m", ...payload })
      assert.isTrue(ErrorPayload.is(wire))
      const decoded = ErrorPayload.decode(wire)
      assert.strictEqual(decoded._tag, tag)
      assert.strictEqual(decoded.constructor, error.constructor)
      assert.deepInclude(decoded, fieldsOf(error))
      assert.deepStrictEqual(ErrorPayload.encode(decoded), wire)
    }
  )

  it.each(WireError.classes.map((self) => [self.identifier, self] as const))(
    "gives %s a message when a peer sends none, or something else",
    (_, self) => {
      const { code } = WireError.placement[self.identifier as WireError.CodedError["_tag"]]
      for (const message of [undefined, null, 7, { text: "x" }]) {
        const decoded = ErrorPayload.decode({ code, message, details: 7, mcp_server: [], server_version: 4 })
        assert.strictEqual(decoded._tag, self.identifier)
        assert.isNotEmpty(decoded.message)
        assert.deepStrictEqual(Object.keys(fieldsOf(decoded)), ["message"])
      }
    }
  )

  it.each(foreign)("reads %j", (payload, fields) => {
    assert.deepInclude(ErrorPayload.decode(payload as never), fields)
  })

  it("leaves out fields of the wrong type, and keeps the details as they came", () => {
    const details = { reason: 7, rel_path: "a", total_size: "12", more: { deep: [1, null] } }
    const decoded = ErrorPayload.decode({ code: 4017, message: "m", details })
    assert.deepStrictEqual(fieldsOf(decoded), { message: "m", relPath: "a", details })
  })

  it("passes on details beside an error's own fields", () => {
    const error = new WireError.NotFound({ computerName: "X", details: { hint: "ask again", computer_name: "old" } })
    assert.deepStrictEqual(ErrorPayload.encode(error), {
      code: 404,
      message: "Not found",
      details: { hint: "ask again", computer_name: "X" }
    })
  })

  it.each([
    { code: 0, message: "engine" },
    { code: -1, message: "negative" },
    { code: 418, message: "teapot", details: { hot: true }, extra: [1, null] },
    { code: 4999 },
    { code: 4999, message: null, details: "text" },
    { code: Number.MAX_SAFE_INTEGER, message: "huge" }
  ])("keeps an unknown code whole: %j", (payload) => {
    const decoded = ErrorPayload.decode(payload)
    assert.strictEqual(decoded._tag, "UnknownCode")
    const message = typeof payload.message === "string" ? payload.message : `Error ${payload.code}`
    assert.deepInclude(decoded, { code: payload.code, message, payload })
    assert.deepStrictEqual<unknown>(ErrorPayload.encode(decoded), { ...payload, message })
  })

  it.each([
    [{ code: 404, message: "m" }, true],
    [{ code: 404 }, true],
    [{ code: 404, message: "m", anything: 1 }, true],
    [{ code: "404", message: "m" }, false],
    [{ code: 4.5, message: "m" }, false],
    [{ code: null }, false],
    [{ code: NaN }, false],
    [{ code: 1e21, message: "m" }, false],
    [{ code: Number.MAX_SAFE_INTEGER + 1, message: "m" }, false],
    [{ message: "m" }, false],
    [{}, false],
    [[404], false],
    [[{ code: 404 }], false],
    [null, false],
    [undefined, false],
    [404, false],
    ["404", false],
    [{ content: [{ type: "text", text: "m" }], isError: true }, false],
    [{ code: 404, content: [{ type: "text", text: "m" }], isError: false }, false],
    [{ code: 404, content: null }, false]
  ])("knows whether %j is an error: %s", (value, isError) => {
    assert.strictEqual(ErrorPayload.is(value), isError)
  })
})

/** The fields of an error as it was made, without those of `Error`. */
const fieldsOf = (error: WireError.WireError): Readonly<Record<string, unknown>> => {
  const self = error._tag === "UnknownCode"
    ? WireError.UnknownCode
    : WireError.classes.find(({ identifier }) => identifier === error._tag)!
  return Object.fromEntries(
    Object.keys(self.fields)
      .filter((key) => key !== "_tag" && (error as unknown as Record<string, unknown>)[key] !== undefined)
      .filter((key) => Object.hasOwn(error, key))
      .map((key) => [key, (error as unknown as Record<string, unknown>)[key]])
  )
}

describe("SmcpError", () => {
  const local: ReadonlyArray<SmcpError.Reason> = [
    new SmcpError.NotConnected({ message: "secret" }),
    new SmcpError.ConnectionLost({ outcome: "unknown", message: "secret" }),
    new SmcpError.CallTimeout({ event: "secret", millis: 1 }),
    new SmcpError.UnsupportedByPeer({ event: "secret" }),
    new SmcpError.InvalidResponse({ event: "e", issue: "secret" }),
    new SmcpError.PayloadTooLarge({ event: "secret", size: 2, limit: 1 }),
    new SmcpError.BlobTransferFailed({ problem: "source", message: "secret" }),
    new SmcpError.JoinRefused({ message: "secret" }),
    new SmcpError.ListenFailed({ host: "secret", port: 1, message: "secret" }),
    new SmcpError.ConfigInvalid({ message: "secret" })
  ]

  it.each(local.map((reason) => [reason._tag, reason] as const))("shows a peer nothing of %s", (_, reason) => {
    assert.isFalse(SmcpError.isWireError(reason))
    assert.deepStrictEqual(SmcpError.toPayload(SmcpError.make(reason)), { code: 500, message: "Internal error" })
  })

  it("shows a peer why it was not let in", () => {
    const rejected = SmcpError.make(new SmcpError.AuthenticationRejected({ message: "Unknown API key" }))
    assert.deepStrictEqual(SmcpError.toPayload(rejected), { code: 401, message: "Unknown API key" })
  })

  it("shows a peer an error with a code, known or not", () => {
    const known = SmcpError.make(new WireError.RoomFull({ officeId: "o", role: "computer" }))
    assert.deepStrictEqual(SmcpError.toPayload(known), {
      code: 4101,
      message: "Room is full",
      details: { office_id: "o", role: "computer" }
    })
    const unknown = { code: 4242, message: "m", more: true }
    assert.deepStrictEqual(SmcpError.toPayload(SmcpError.fromPayload(unknown)), unknown)
  })

  it("says what its reason says", () => {
    for (const reason of local) {
      assert.isNotEmpty(reason.message)
      assert.strictEqual(SmcpError.make(reason).message, reason.message)
    }
  })
})
