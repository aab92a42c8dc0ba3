/**
 * How a command is started on Windows, where a name alone does not do: `npx` is a `npx.cmd` somewhere on the `PATH`, and a
 * batch file is run by `cmd.exe`, which reads its command line in a way of its own.
 *
 * Pure, so that it can be tested anywhere.
 */
import * as Result from "effect/Result"
import { win32 } from "node:path"

/** A command as its user wrote it, and what it is looked up in. */
export interface WindowsCommand {
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** The environment of the child. Names of variables are in any case. */
  readonly env: Readonly<Record<string, string>>
  /** The directory it is started in, absolute. */
  readonly cwd: string
  readonly fileExists: (path: string) => boolean
}

/** What to start. */
export interface Invocation {
  readonly file: string
  readonly args: ReadonlyArray<string>
  /** The arguments are the command line as it is, and must not be quoted again. */
  readonly verbatim: boolean
}

/** What Windows can start, directly or through `cmd.exe`. */
const EXECUTABLE = [".com", ".exe", ".bat", ".cmd"]
const DEFAULT_PATHEXT = ".COM;.EXE;.BAT;.CMD"
/** The longest line that `cmd.exe` reads. */
const LONGEST_LINE = 8191

/**
 * Looks a command up as `cmd.exe` would, but never in the current directory, where anybody could have put it: write `.\name`
 * for that. What is not found is left to Windows. Fails, in words, with arguments that a batch file cannot be given safely.
 */
export const invocationOf = (self: WindowsCommand): Result.Result<Invocation, string> => {
  const file = find(self) ?? self.command
  return isBatch(file) ? batch(file, self) : Result.succeed({ file, args: self.args, verbatim: false })
}

/** The environment with what is given on top: a variable replaces its namesakes in any case, as Windows sees but one. */
export const mergeEnvironment = (
  base: Readonly<Record<string, string>>,
  given: Readonly<Record<string, string>>
): Record<string, string> => {
  const replaced = new Set(Object.keys(given).map((name) => name.toUpperCase()))
  return {
    ...Object.fromEntries(Object.entries(base).filter(([name]) => !replaced.has(name.toUpperCase()))),
    ...given
  }
}

/** Ends a process and all that it has started, as far as they are still its descendants. */
export const killTree = (pid: number, env: Readonly<Record<string, string | undefined>>): Invocation => ({
  file: systemProgram("taskkill.exe", env),
  args: ["/pid", String(pid), "/t", "/f"],
  verbatim: false
})

// -----------------------------------------------------------------------------
// Looking up
// -----------------------------------------------------------------------------

const variable = (env: Readonly<Record<string, string | undefined>>, name: string): string | undefined =>
  Object.entries(env).find(([key]) => key.toUpperCase() === name)?.[1]

const systemProgram = (name: string, env: Readonly<Record<string, string | undefined>>): string => {
  const root = variable(env, "SYSTEMROOT")
  return root === undefined ? name : win32.join(root, "System32", name)
}

const isBatch = (file: string): boolean => [".bat", ".cmd"].includes(win32.extname(file).toLowerCase())

const find = (self: WindowsCommand): string | undefined => {
  const { command, cwd, env, fileExists } = self
  const names = namesOf(command, env)
  // with a directory, be it relative, or a drive in it
  if (/[\\/:]/.test(command)) return names.map((name) => win32.resolve(cwd, name)).find(fileExists)
  return (variable(env, "PATH") ?? "")
    .split(";")
    .map((directory) => directory.trim().replaceAll("\"", ""))
    .filter((directory) => directory !== "")
    .flatMap((directory) => names.map((name) => win32.resolve(cwd, directory, name)))
    .find(fileExists)
}

/** What the file may be called: as it is written if that can be started, and with each extension. */
const namesOf = (command: string, env: WindowsCommand["env"]): ReadonlyArray<string> => {
  const extensions = (variable(env, "PATHEXT") ?? DEFAULT_PATHEXT)
    .split(";")
    .map((extension) => extension.trim().toLowerCase())
    .filter((extension) => EXECUTABLE.includes(extension))
  const added = extensions.map((extension) => command + extension)
  return EXECUTABLE.includes(win32.extname(command).toLowerCase()) ? [command, ...added] : added
}

// -----------------------------------------------------------------------------
// Batch files
// -----------------------------------------------------------------------------

const batch = (file: string, { args, env }: WindowsCommand): Result.Result<Invocation, string> => {
  if ([file, ...args].some((word) => /[\r\n\0]/.test(word))) {
    return Result.fail(
      `it is a batch file (${win32.basename(file)}), which cannot be given arguments with line breaks; ` +
        "name the program that it starts instead"
    )
  }
  const line = `"${[quoted(file), ...args.map((word) => isPlain(word) ? word : quoted(word))].join(" ")}"`
  if (line.length > LONGEST_LINE) {
    return Result.fail(
      `it is a batch file (${
        win32.basename(file)
      }), and its arguments are longer than the ${LONGEST_LINE} characters ` +
        "that such a file can be given; name the program that it starts instead"
    )
  }
  return Result.succeed({
    file: systemProgram("cmd.exe", env),
    // no autorun, %…% works as below, ! means nothing, and the outer quotes are the only ones that are taken off
    args: ["/d", "/e:on", "/v:off", "/s", "/c", line],
    verbatim: true
  })
}

/** Some batch files compare words, so that those that need no quotes get none. */
const isPlain = (word: string): boolean => /^[A-Za-z0-9#$*+\-./:?@\\_]+$/.test(word)

/**
 * One word that stays one word, on the line that `cmd.exe` reads and in the batch file that passes it on to a program.
 *
 * Quotes keep `& | < > ^ ( )` from meaning anything. A quote within is doubled: for `cmd.exe` the text stays quoted, and
 * programs read it as one. Backslashes before a quote are doubled for the program. A `%` is followed by a variable of no
 * length, so that it begins no name of another.
 */
const quoted = (word: string): string => {
  const text = word
    .replace(/(\\*)("|$)/g, (_, slashes: string, quote: string) => slashes + slashes + quote + quote)
    .replaceAll("%", "%%cd:~,%")
  return `"${text}"`
}
