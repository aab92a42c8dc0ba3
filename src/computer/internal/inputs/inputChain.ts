/**
 * Inputs whose definitions need other inputs.
 */
import type { InputDefinition } from "../../InputDefinition.ts"
import { MAX_DEPTH, parse, type Segment } from "./placeholders.ts"

/**
 * Why an input can never have a value: its definition needs itself, or needs others more than {@link MAX_DEPTH} deep.
 * Looked for in the definitions alone, before anybody waits for anybody.
 */
export const chainProblem = (id: string, definitions: ReadonlyMap<string, InputDefinition>): string | undefined => {
  // where nothing was wrong, at which depth: otherwise inputs that share others take ever longer
  const sound = new Set<string>()
  const follow = (chain: ReadonlyArray<string>): string | undefined => {
    const last = chain.at(-1) ?? id
    const place = `${chain.length} ${last}`
    if (sound.has(place)) return undefined
    const shown = () => chain.map((each) => `"${each}"`).join(" → ")
    if (chain.indexOf(last) < chain.length - 1) return `The input "${id}" needs itself: ${shown()}.`
    if (chain.length > MAX_DEPTH) return `The input "${id}" needs others more than ${MAX_DEPTH} deep: ${shown()}.`
    for (const next of needs(definitions.get(last))) {
      const problem = follow([...chain, next])
      if (problem !== undefined) return problem
    }
    sound.add(place)
    return undefined
  }
  return follow([id])
}

/** The ids in the texts of a definition that are rendered. */
const needs = (input: InputDefinition | undefined): ReadonlySet<string> => {
  const texts = input === undefined
    ? []
    : input.type === "command"
    ? Object.values(input.args ?? {})
    : typeof input.default === "string"
    ? [input.default]
    : []
  const ids = new Set<string>()
  const collect = (segments: ReadonlyArray<Segment>): void => {
    for (const segment of segments) {
      if (typeof segment === "string") continue
      if (segment._tag === "Input") ids.add(segment.id)
      else if (segment._tag === "Variable" && segment.fallback !== undefined) collect(segment.fallback)
    }
  }
  for (const text of texts) collect(parse(text))
  return ids
}
