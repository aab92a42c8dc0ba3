/**
 * What the commands of a console have beside the services of the Computer.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Scope from "effect/Scope"
import type * as Host from "../../computer/Host.ts"
import type { Revision } from "../../protocol/Revision.ts"
import type { SmcpError } from "../../protocol/SmcpError.ts"
import type { Failure } from "../internal/failure.ts"
import type { Arguments } from "./internal/resolve.ts"
import type { Office } from "./Office.ts"
import type { Questions } from "./Questions.ts"
import type { View } from "./View.ts"

/** What is particular to this console. */
export class Session extends Context.Service<Session, {
  /** Where something goes on while the next command is typed; undefined where a command waits for all that it began. */
  readonly beside: Scope.Scope | undefined
  /** The revision of the protocol that this Computer speaks. */
  readonly revision: Revision
}>()("a2c-smcp/cli/Session") {}

/** What a command may use. */
export type Services = Host.Services | Office | Session | Questions | FileSystem.FileSystem

/** How a command runs. */
export type Run = (args: Arguments) => Effect.Effect<View, SmcpError | Failure, Services>
