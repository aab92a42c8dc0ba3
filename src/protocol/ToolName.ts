/**
 * Exposed tool names: `{bundle_id}__{alias ?? original}` (specification, data
 * structures, BundleID model).
 */

/** The separator reserved between a bundle id and a tool name. */
export const SEPARATOR = "__"

/**
 * The name under which an Agent sees a tool. Different tools of servers with
 * derived bundle ids get different names; an explicit id may end with `_`, and
 * then `a_` with tool `b` collides with `a` and tool `_b`. Never split the name
 * to route a call: an alias hides the original name, so routing goes by the
 * whole key.
 */
export const exposed = (bundleId: string, original: string, alias?: string | null | undefined): string =>
  bundleId + SEPARATOR + (alias ?? original)
