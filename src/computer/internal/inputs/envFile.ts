/**
 * Files with environment variables, `NAME=value` a line.
 */
import * as Effect from "effect/Effect"
import { constants } from "node:fs"
import { open } from "node:fs/promises"
import { resolve } from "node:path"
import { parseEnv } from "node:util"
import { InputError } from "../../InputError.ts"
import { attempt } from "../files.ts"

const MAX_BYTES = 1024 * 1024

/**
 * The variables of a file; a relative path is one from `directory`. What the file says is taken literally. `shown` is its
 * path as it may be shown.
 */
export const readEnvFile = (
  path: string,
  directory: string | undefined,
  shown: string
): Effect.Effect<Readonly<Record<string, string>>, InputError> => {
  const file = resolve(directory ?? ".", path)
  const failed = (why: string) =>
    new InputError({ reason: "store", message: `The envFile ${shown} cannot be used: ${why}` })
  return attempt(() => readBounded(file)).pipe(
    Effect.mapError(({ code }) => failed(describe(code))),
    Effect.flatMap((text) =>
      text === undefined
        ? Effect.fail(failed(`it is larger than ${MAX_BYTES} bytes`))
        : Effect.succeed({ ...parseEnv(text.replace(/^\uFEFF/, "")) } as Record<string, string>)
    )
  )
}

/** Opening a pipe would wait for somebody who writes to it. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

/** The text of a file, or undefined when it is too large. Anything but a file could be read for ever. */
const readBounded = async (file: string): Promise<string | undefined> => {
  const handle = await open(file, FLAGS)
  try {
    const info = await handle.stat()
    if (!info.isFile()) throw Object.assign(new Error(), { code: "EISDIR" })
    return info.size > MAX_BYTES ? undefined : await handle.readFile("utf8")
  } finally {
    await handle.close()
  }
}

const describe = (code: string): string => {
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return "it does not exist; create it or take \"envFile\" out of the configuration"
    case "EACCES":
    case "EPERM":
      return "it may not be read; check its permissions"
    case "EISDIR":
      return "it is no file"
    default:
      return `it could not be read (${code})`
  }
}
