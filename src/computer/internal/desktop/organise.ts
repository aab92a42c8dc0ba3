/**
 * Which windows a desktop shows, and in which order (specification, desktop: organising).
 */

/** What decides the place of a window. */
export interface Placed {
  /** The bundle id of its server. */
  readonly server: string
  readonly priority: number
  readonly fullscreen: boolean
}

/** The windows of one server. Nothing but the first fullscreen window that has content is shown, if there is one. */
export interface Group<W> {
  readonly server: string
  /** In the order of the server's list. */
  readonly fullscreen: ReadonlyArray<W>
  /** The largest priority first; equal ones in the order of the server's list. */
  readonly others: ReadonlyArray<W>
}

/** Groups windows by server: those used last come first, the rest by bundle id. */
export const organise = <W extends Placed>(
  windows: Iterable<W>,
  recent: ReadonlyArray<string>
): ReadonlyArray<Group<W>> => {
  const groups = new Map<string, { server: string; fullscreen: Array<W>; others: Array<W> }>()
  for (const window of windows) {
    let group = groups.get(window.server)
    if (group === undefined) {
      group = { server: window.server, fullscreen: [], others: [] }
      groups.set(window.server, group)
    }
    ;(window.fullscreen ? group.fullscreen : group.others).push(window)
  }
  const rank = new Map(recent.map((server, index) => [server, index]))
  const rankOf = ({ server }: Group<W>) => rank.get(server) ?? recent.length
  const ordered = [...groups.values()].sort((a, b) => rankOf(a) - rankOf(b) || compareText(a.server, b.server))
  for (const { others } of ordered) others.sort((a, b) => b.priority - a.priority)
  return ordered
}

/** Bundle ids are ASCII, so that code units are code points. */
const compareText = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0

/** What is shown as far as it is known which windows have content. */
export interface Choice<W> {
  /** In order. Final when nothing is unread. */
  readonly chosen: ReadonlyArray<W>
  /** What has to be read to know more; with a size, never more than may still be shown. */
  readonly unread: ReadonlyArray<W>
}

/**
 * Takes the first `size` windows that have content, all without a size. `hasContent` is `undefined` for a window that was
 * not read yet.
 */
export const choose = <W>(
  groups: ReadonlyArray<Group<W>>,
  size: number | undefined,
  hasContent: (window: W) => boolean | undefined
): Choice<W> => {
  const room = size ?? Infinity
  const chosen: Array<W> = []
  const unread: Array<W> = []
  const isFull = () => chosen.length + unread.length >= room
  const take = (window: W) => {
    const known = hasContent(window)
    if (known === undefined) unread.push(window)
    else if (known) chosen.push(window)
  }
  for (const { fullscreen, others } of groups) {
    if (isFull()) break
    const first = fullscreen.find((window) => hasContent(window) !== false)
    if (first !== undefined) {
      take(first)
      continue
    }
    for (const window of others) {
      if (isFull()) break
      take(window)
    }
  }
  return { chosen, unread }
}
