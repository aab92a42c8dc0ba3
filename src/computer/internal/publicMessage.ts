import type { McpError } from "../McpError.ts"

const LONGEST_MESSAGE = 2000

/** What a peer may know of an error: the server's own words without a stack, and nothing of what it wrote to stderr. */
export const publicMessage = ({ summary }: McpError): string =>
  summary.split("\n").filter((line) => !/^\s+at /.test(line)).join("\n").slice(0, LONGEST_MESSAGE)
