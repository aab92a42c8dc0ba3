/**
 * What the exit codes of `smcp` mean. `--help` and the README show this table.
 */

/** Every exit code by what it stands for. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  toolFailed: 3,
  timedOut: 4,
  cancelled: 5,
  refused: 6,
  interrupted: 130
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** The table for people. */
export const exitCodeTable: ReadonlyArray<readonly [code: ExitCode, meaning: string]> = [
  [0, "done; also a server, computer or watch that was ended by Ctrl-C or SIGTERM"],
  [
    1,
    "the call did not come about: unknown Computer, connection lost, an error of the peer; or a case of conformance failed, or the doctor found a problem"
  ],
  [2, "the command line, a config file or a setting is wrong"],
  [3, "the tool ran and failed, or there is no such tool"],
  [4, "no answer in time: the call took longer than --timeout, or a peer is silent"],
  [5, "the call was cancelled, by Ctrl-C or at the Computer"],
  [6, "no seat at the Server: unreachable, wrong key, other protocol version, seat taken"],
  [130, "Ctrl-C or SIGTERM before there was a result"]
]

/** The table as lines of a help. */
export const exitCodeLines = (indent: string): string =>
  exitCodeTable.map(([code, meaning]) => `${indent}${String(code).padStart(5)}  ${meaning}`).join("\n")
