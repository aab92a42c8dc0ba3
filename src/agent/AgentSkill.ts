/**
 * Skills of a Computer as an Agent sees them (specification, skill).
 */
import type { SkillRef } from "../protocol/Skill.ts"

/** One skill: a folder of instructions on the Computer. */
export interface AgentSkill {
  /** The Computer that offers it. */
  readonly computer: string
  /** Opaque; by this name the Agent asks for its files. */
  readonly name: string
  /** Where it comes from: `user`, a marketplace, or `mcp:<bundle id>`. */
  readonly source: string
  /** Absolute folder on the Computer. */
  readonly path: string
  readonly description: string
  /** Only of skills that an MCP server offers. */
  readonly uri: string | undefined
  readonly license: string | undefined
  readonly compatibility: string | undefined
  readonly version: string | undefined
  readonly allowedTools: ReadonlyArray<string>
  readonly tags: ReadonlyArray<string>
  readonly metadata: Readonly<Record<string, unknown>>
}

/** One file of a skill, whole and checked. */
export interface SkillFile {
  /** Inside the skill's folder. */
  readonly path: string
  readonly mimeType: string | undefined
  readonly bytes: Uint8Array
}

/** Reads a listed skill. Peers send nulls and omit keys. */
export const fromWire = (computer: string, skill: SkillRef): AgentSkill => ({
  computer,
  name: skill.name,
  source: skill.source,
  path: skill.path,
  description: skill.description,
  uri: skill.uri ?? undefined,
  license: skill.license ?? undefined,
  compatibility: skill.compatibility ?? undefined,
  version: skill.version ?? undefined,
  allowedTools: skill.allowed_tools ?? [],
  tags: skill.tags ?? [],
  metadata: skill.skill_metadata ?? {}
})
