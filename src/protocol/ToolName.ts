/**
 * Exposed tool names: `{bundle_id}__{alias ?? original}` (specification, data
 * structures, BundleID model).
 */

/** The separator reserved between a bundle id and a tool name. */
export const SEPARATOR = "__"

/**
 * The name under which an Agent sees a tool. Injective in (bundle id, tool),
 * because a bundle id never contains the separator. Never split it to route a
 * call: an alias hides the original name, so routing goes by the whole key.
 */
export const exposed = (bundleId: string, original: string, alias?: string | null | undefined): string =>
  bundleId + SEPARATOR + (alias ?? original)
