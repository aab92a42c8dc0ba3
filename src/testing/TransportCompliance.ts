/**
 * What every pair of a `Transport` and a `ServerTransport` has to do, as data:
 * each case names one behaviour and runs against a fresh harness. Whoever writes
 * a transport runs all of them in the test runner of their choice:
 *
 * ```ts
 * for (const { name, run } of TransportCompliance.cases) {
 *   it.live(name, () => Effect.flatMap(makeHarness, run))
 * }
 * ```
 *
 * The cases run in real time, wait for what they want to see instead of
 * sleeping, and end by themselves after 15 seconds.
 */
import { clientCalls } from "./internal/complianceCalls.ts"
import * as connections from "./internal/complianceConnections.ts"
import type { Case } from "./internal/complianceKit.ts"
import { notifications } from "./internal/complianceNotifications.ts"
import { serverCalls } from "./internal/complianceServerCalls.ts"
import { sizes } from "./internal/complianceSizes.ts"

export { type Case, ComplianceFailure, type ConnectOptions, type Harness } from "./internal/complianceKit.ts"

/** Every case. A case needs a harness of its own: it serves, and a server side is served once. */
export const cases: ReadonlyArray<Case> = [
  ...clientCalls,
  ...serverCalls,
  ...sizes,
  ...connections.admission,
  ...connections.losses,
  ...notifications
]
