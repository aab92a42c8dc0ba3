/**
 * Windows of a Computer's desktop as an Agent sees them (specification, desktop).
 */

/** One rendered `window://` resource. */
export interface AgentWindow {
  readonly uri: string
  /** Empty when the window has none. */
  readonly text: string
  /** The window as the Computer rendered it. */
  readonly raw: string
}

/** Which windows are asked for. */
export interface DesktopOptions {
  /** At most this many; none when 0. Default: all. */
  readonly size?: number | undefined
  /** Only the window with exactly this URI. */
  readonly window?: string | undefined
}

const SEPARATOR = "\n\n"

/** Reads a rendered window: its URI, and its text after an empty line. */
export const fromWire = (raw: string): AgentWindow => {
  const end = raw.indexOf(SEPARATOR)
  return end < 0
    ? { uri: raw, text: "", raw }
    : { uri: raw.slice(0, end), text: raw.slice(end + SEPARATOR.length), raw }
}
