/**
 * Skills: folders of instructions that a Computer offers (specification, skill).
 */
import * as Schema from "effect/Schema"
import { computerCallFields } from "./AgentCall.ts"
import * as BundleId from "./BundleId.ts"
import { maybe, OpenRecord } from "./internal/fields.ts"

/**
 * Whether a text has the form of a skill's name: `skill`, `plugin:skill` or `mcp:<bundle id>:skill`, where skills and
 * plugins are 1 to 64 lower-case letters and digits in parts joined by single hyphens (specification, skill).
 */
export const isName = (name: string): boolean => {
  const parts = name.split(":")
  if (parts.length <= 2) return parts.every(isKebab)
  const [source = "", server = "", skill = ""] = parts
  return parts.length === 3 && source === "mcp" && BundleId.isValid(server) && isKebab(skill)
}

const isKebab = (text: string): boolean => text.length <= LONGEST_PART && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(text)

const LONGEST_PART = 64

/** One skill in the answer to `client:get_skills`. */
export const SkillRef = Schema.Struct({
  /** Globally unique and opaque: `my-skill`, `plugin:skill` or `mcp:<bundle id>:skill`. */
  name: Schema.String,
  source: Schema.String,
  /** Absolute folder on the Computer. */
  path: Schema.String,
  description: Schema.String,
  uri: maybe(Schema.String),
  license: maybe(Schema.String),
  compatibility: maybe(Schema.String),
  allowed_tools: maybe(Schema.Array(Schema.String)),
  tags: maybe(Schema.Array(Schema.String)),
  skill_metadata: maybe(OpenRecord),
  version: maybe(Schema.String)
})
export type SkillRef = typeof SkillRef.Type

/** Payload of `client:get_skills`. */
export const GetSkillsReq = Schema.Struct(computerCallFields)
export type GetSkillsReq = typeof GetSkillsReq.Type

/** Answer to `client:get_skills`. */
export const GetSkillsRet = Schema.Struct({ skills: maybe(Schema.Array(SkillRef)), req_id: maybe(Schema.String) })
export type GetSkillsRet = typeof GetSkillsRet.Type

/** Payload of `client:get_skill`. */
export const GetSkillReq = Schema.Struct({
  ...computerCallFields,
  name: Schema.String,
  /** A file inside the skill's folder; `SKILL.md` when absent. */
  rel_path: maybe(Schema.String)
})
export type GetSkillReq = typeof GetSkillReq.Type

/** Answer to `client:get_skill`: either `body` or `blob_handle` is present. */
export const GetSkillRet = Schema.Struct({
  name: maybe(Schema.String),
  rel_path: maybe(Schema.String),
  mime_type: maybe(Schema.String),
  /** Bytes of the whole file. */
  total_size: maybe(Schema.Finite),
  /** Of the whole file, lower-case hex. */
  sha256: maybe(Schema.String),
  body: maybe(Schema.String),
  blob_handle: maybe(Schema.String),
  req_id: maybe(Schema.String)
})
export type GetSkillRet = typeof GetSkillRet.Type
