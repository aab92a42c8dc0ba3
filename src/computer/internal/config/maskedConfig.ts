/**
 * A configuration as it may be shown: the values of variables and headers are hidden, and so is what is secret in commands,
 * arguments and addresses. Placeholders stay.
 */
import { isRecord } from "../../../protocol/Json.ts"
import type { ServerConfig } from "../../../protocol/ServerConfig.ts"
import type { Dialect } from "../../ServerEntry.ts"
import * as Placeholders from "../inputs/placeholders.ts"
import { isSecretName, isSecretOption, isSecretVariable } from "../secrets/secretNames.ts"
import { MASK, redactText } from "../secrets/secretText.ts"
import type { Fields } from "./decoding.ts"

/** The parameters of a server without their secrets. */
export const maskedParameters = (config: ServerConfig, dialect: Dialect): ServerConfig["server_parameters"] => {
  if (config.type === "stdio") {
    const { args, command, env } = config.server_parameters
    return {
      ...config.server_parameters,
      command: maskedText(command, dialect),
      args: maskedArguments(args, dialect),
      env: maskedValues(env, dialect)
    }
  }
  const { headers, url } = config.server_parameters
  return {
    ...config.server_parameters,
    url: maskedText(url, dialect),
    headers: maskedValues(headers, dialect)
  }
}

const maskedValues = (values: Fields | null, dialect: Dialect): Readonly<Record<string, string>> | null =>
  values === null
    ? null
    : Object.fromEntries(
      Object.entries(values).map(([name, value]) => [
        name,
        Placeholders.mask(String(value), dialect)
      ])
    )

/** A text in which only some parts are secret. */
export const maskedText = (text: string, dialect: Dialect): string => keepingPlaceholders(text, dialect, hideIn)

/** The arguments of a command. One may say that the next one is secret. */
export const maskedArguments = (args: ReadonlyArray<string>, dialect: Dialect): ReadonlyArray<string> =>
  args.map((arg, index) => {
    const before = args[index - 1] ?? ""
    if (announcesSecret(before) && !isOrdinary(before, arg)) return Placeholders.mask(arg, dialect)
    if (/^(-e|--env)$/.test(before)) return keepingPlaceholders(arg, dialect, (text) => hideValue(text, "=") ?? text)
    if (/^(-H|--headers?)$/.test(before)) {
      return keepingPlaceholders(arg, dialect, (text) => hideValue(text, ":") ?? hideIn(text))
    }
    return keepingPlaceholders(arg, dialect, hideInArgument)
  })

/** What a value of unknown meaning may show of itself. */
export const maskedUnknown = (value: unknown, dialect: Dialect): unknown => {
  if (typeof value === "string") return maskedText(value, dialect)
  if (Array.isArray(value)) return value.map((item) => maskedUnknown(item, dialect))
  if (!isRecord(value)) return value
  return Object.fromEntries(
    Object.entries(value).map((
      [key, item]
    ) => [key, isSecretName(key) ? hidden(item, dialect) : maskedUnknown(item, dialect)])
  )
}

/** Nothing but the placeholders of a value. */
const hidden = (value: unknown, dialect: Dialect): unknown => {
  if (typeof value === "string") return Placeholders.mask(value, dialect)
  if (Array.isArray(value)) return value.map((item) => hidden(item, dialect))
  // a yes, a no or nothing is no secret
  if (!isRecord(value)) return typeof value === "number" ? MASK : value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, hidden(item, dialect)]))
}

// -----------------------------------------------------------------------------
// Placeholders
// -----------------------------------------------------------------------------

/** Characters for private use stand for placeholders while a text is looked at. */
const FIRST = 0xe000
const stand = /[\ue000-\uefff]/g

const keepingPlaceholders = (text: string, dialect: Dialect, hide: (text: string) => string): string => {
  const segments = Placeholders.parse(text.replace(stand, "\ufffd"), dialect)
  const placeholders: Array<Placeholders.Placeholder> = []
  const bare = segments.map((segment) => {
    if (typeof segment === "string") return segment
    placeholders.push(segment)
    return String.fromCharCode(FIRST + (placeholders.length - 1) % 0x1000)
  }).join("")
  const hidden = hide(bare)
  if (hidden === bare && !placeholders.some(hasSecretDefault)) return text
  return hidden.replace(stand, (character) => placeholders[character.charCodeAt(0) - FIRST]?.text ?? "")
}

const hasSecretDefault = (placeholder: Placeholders.Placeholder): boolean => {
  if (placeholder._tag !== "Variable" || placeholder.fallback === undefined) return false
  return isSecretVariable(placeholder.name) ||
    placeholder.fallback.some((segment) =>
      typeof segment === "string" ? hideInArgument(segment) !== segment : hasSecretDefault(segment)
    )
}

// -----------------------------------------------------------------------------
// What is hidden
// -----------------------------------------------------------------------------

const hideAll = (text: string): string => text.replace(/[^\ue000-\uefff]+/g, MASK)

/** Whether the next argument is a secret. */
const announcesSecret = (arg: string): boolean => {
  const name = /^--?([A-Za-z][\w.-]*)$/.exec(arg)?.[1]
  return name !== undefined && isSecretOption(name)
}

/** Another option behind one that is a switch, and how many tokens there may be. */
const isOrdinary = (option: string, value: string): boolean =>
  /^--[a-z][a-z-]*$/.test(value) || (/tokens$/i.test(option) && /^\d{1,9}$/.test(value))

/** The part behind the name; `undefined` where there is no name. */
const hideValue = (text: string, separator: ":" | "="): string | undefined => {
  const at = text.indexOf(separator)
  const end = at + 1 + (/^\s*/.exec(text.slice(at + 1))?.[0].length ?? 0)
  return at < 1 ? undefined : text.slice(0, end) + hideAll(text.slice(end))
}

const hideInArgument = (text: string): string => {
  const option = /^(?:--?)?([A-Za-z_][\w.-]*)\s*([=:])(?!\/\/)/.exec(text)
  if (option !== null && isSecretOption(option[1] ?? "")) {
    return hideValue(text, option[2] === "=" ? "=" : ":") ?? text
  }
  return looksRandom(text) ? hideAll(text) : hideIn(text)
}

/** An address as a part of a text; what stands for a placeholder belongs to it. */
const addresses = /((?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,30}:\/\/[^\s"'<>`]+)/i

const hideIn = (text: string): string =>
  text.split(addresses).map((part, index) => index % 2 === 1 ? hideInAddress(part) : redactText(part)).join("")

const hideInAddress = (address: string): string => {
  const [, scheme = "", authority = "", path = "", query = "", fragment = ""] =
    /^([^:]+:\/\/)([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(address) ?? []
  const at = authority.lastIndexOf("@")
  const host = at === -1 ? authority : `${hideAll(authority.slice(0, at))}${authority.slice(at)}`
  return scheme + host + path.split("/").map((part) => looksRandom(part) ? hideAll(part) : part).join("/") +
    hideInQuery(query) + hideInQuery(fragment)
}

const hideInQuery = (query: string): string =>
  query.replace(
    /([?#&;]|^)([^=&;?#]+)=([^&;]*)/g,
    (_, before: string, name: string, value: string) =>
      `${before}${name}=${isSecretOption(decoded(name)) || looksRandom(value) ? hideAll(value) : value}`
  )

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Long, of letters and digits without words: a key, wherever it stands. */
const looksRandom = (text: string): boolean =>
  /^[A-Za-z0-9_=%-]{24,}$/.test(text) && /\d/.test(text) && /[A-Za-z]/.test(text) &&
  !/^[A-Za-z]+([-_][A-Za-z0-9]{1,12})+$/.test(text)
