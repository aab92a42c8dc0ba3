/**
 * What was meant by a word that means nothing.
 */

const MOST = 5

/** Behind a sentence that says so: `; did you mean status?`; empty when nothing is near. */
export const didYouMean = (typed: string, words: Iterable<string>): string => {
  const near = nearest(typed, words)
  return near.length === 0 ? "" : `; did you mean ${near.slice(0, MOST).join(" or ")}?`
}

/** The words that begin so, and those that differ from what was typed by a slip or two, the nearest first. */
export const nearest = (typed: string, words: Iterable<string>): ReadonlyArray<string> =>
  [...new Set(words)].map((word) => ({ word, slips: slips(typed.toLowerCase(), word.toLowerCase()) }))
    .filter(({ slips, word }) => slips <= allowed(typed, word))
    .sort((a, b) => a.slips - b.slips)
    .map(({ word }) => word)

/** A word of which only the beginning was typed has none. */
const slips = (typed: string, word: string): number => word.startsWith(typed) ? 0 : distance(typed, word)

const LONGEST = 200

/** Words of one or two letters are all near each other. */
const allowed = (typed: string, word: string): number => {
  const length = Math.min(typed.length, word.length)
  return length < 3 || length > LONGEST ? -1 : length < 6 ? 1 : 2
}

/** How many letters are to be changed, added, removed or swapped with their neighbour; no more than 3 is told apart. */
const distance = (one: string, other: string): number => {
  if (Math.abs(one.length - other.length) > 2 || one.length > LONGEST) return 3
  let before: ReadonlyArray<number> = []
  let row: ReadonlyArray<number> = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const change = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1)
      const isSwap = one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]
      const swap = isSwap ? (before[j - 2] ?? 0) + 1 : change
      next.push(Math.min(change, swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    before = row
    row = next
  }
  return row.at(-1) ?? 0
}
