/**
 * Something about a configuration or an MCP server that its operator should know and that stops nothing else.
 */
export interface Diagnostic {
  /** The entry of the config file, or the bundle id of the server, it is about; `undefined` for the file as a whole. */
  readonly server: string | undefined
  /** What is wrong and what to do, in one line. */
  readonly message: string
  /**
   * Whether something of the configuration does not count as it was meant (`error`), or is only worth knowing (`warning`).
   * Absent for what no configuration says.
   */
  readonly severity?: "error" | "warning" | undefined
  /** The file it is about. Absent for what no file says. */
  readonly source?: string | undefined
}
