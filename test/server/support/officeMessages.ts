/**
 * Notifications and acknowledgements as the tests of offices write and read them.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type * as Ack from "../../../src/protocol/Ack.ts"
import type { Peer } from "./officeServer.ts"

export const enter = (office: string, name: Readonly<Record<string, string>>) => ({
  event: "notify:enter_office",
  payload: { office_id: office, ...name }
})
export const left = (office: string, name: Readonly<Record<string, string>>) => ({
  event: "notify:leave_office",
  payload: { office_id: office, ...name }
})

/** The flat error without its text. */
export const errorOf = (args: Ack.Args) => {
  assert.strictEqual(args.length, 1)
  const { message, ...rest } = args[0] as { readonly message: unknown }
  assert.isString(message)
  return rest
}

/** The text of a refusal of up to 0.4. */
export const textOf = (args: Ack.Args): string => {
  assert.strictEqual(args.length, 2)
  assert.strictEqual(args[0], false)
  assert.isString(args[1])
  return args[1] as string
}

export const namesIn = (args: Ack.Args) =>
  (args[0] as { readonly sessions: ReadonlyArray<{ readonly name: string }> }).sessions.map(({ name }) => name)

export const answering = (peer: Peer, mark: string) => {
  peer.answer = () => Effect.succeed([{ from: mark }])
  return peer
}
