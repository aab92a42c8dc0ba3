/**
 * Values in the grammar of another program, written in ours.
 */
import { basename } from "node:path"
import { isRecord } from "../../../protocol/Json.ts"
import type { ServerEntry } from "../../ServerEntry.ts"
import * as Placeholders from "../inputs/placeholders.ts"

/**
 * The value with its texts in the grammar `a2c`. `directory` is the folder of the project that they will belong to: what
 * stands for another one is written out.
 */
export const translated = (value: unknown, origin: ServerEntry["origin"], directory: string | undefined): unknown =>
  mapTexts(value, (text) => translatedText(text, origin, directory))

/** The value with each of its texts changed. */
export const mapTexts = (value: unknown, change: (text: string) => string): unknown => {
  if (typeof value === "string") return change(value)
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, change))
  if (!isRecord(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item, change)]))
}

const translatedText = (
  text: string,
  { dialect, directory: from }: ServerEntry["origin"],
  directory: string | undefined
): string => {
  const segments = Placeholders.parse(text, dialect)
  const moves = from !== undefined && from !== directory && segments.some(namesFolder)
  if (isOurs(dialect) && !moves) return text
  return written(segments, moves ? from : undefined)
}

const isOurs = (dialect: ServerEntry["origin"]["dialect"]): boolean => dialect === "a2c" || dialect === "claude-code"

const namesFolder = (segment: Placeholders.Segment): boolean =>
  typeof segment !== "string" && (
    (segment._tag === "Constant" && segment.name.startsWith("workspaceFolder")) ||
    (segment._tag === "Variable" && (segment.fallback ?? []).some(namesFolder))
  )

/** The text of these segments; `folder` is what a workspace folder is written as. */
const written = (segments: ReadonlyArray<Placeholders.Segment>, folder: string | undefined): string =>
  segments.map((segment) => {
    if (typeof segment === "string") return escaped(segment)
    switch (segment._tag) {
      case "Input":
        return `\${input:${segment.id}}`
      case "Variable":
        return segment.fallback === undefined
          ? `\${env:${segment.name}}`
          : `\${env:${segment.name}:-${written(segment.fallback, folder)}}`
      case "Constant":
        if (folder === undefined || !namesFolder(segment)) return `\${${segment.name}}`
        return escaped(segment.name === "workspaceFolder" ? folder : basename(folder))
      case "Unsupported":
        return segment.text
    }
  }).join("")

/** A text that stands for itself, whatever it looks like. */
export const escapedText = (text: string): string => text.replaceAll("${", () => "$${")

const escaped = (text: string): string =>
  text.includes("$${") || Placeholders.parse(text).some((segment) => typeof segment !== "string")
    ? escapedText(text)
    : text
