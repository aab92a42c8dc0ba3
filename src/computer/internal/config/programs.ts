/**
 * The programs whose config files are read, told by where a file lies.
 */
import { dirname, resolve } from "node:path"
import type { Dialect } from "../../ServerEntry.ts"

/** A program whose config files people have. */
export interface Program {
  readonly name: string
  /** Matches the path of its files, with `/` between the parts and in lower case. */
  readonly path: RegExp
  readonly dialect: Dialect
  /** The unit of the `timeout` of an entry, where it is known. */
  readonly timeout?: "seconds" | "milliseconds"
}

const programs: ReadonlyArray<Program> = [
  { name: "claude", path: /(^|\/)claude_desktop_config\.json$/, dialect: "claude-desktop" },
  {
    name: "claude-code",
    path: /(^|\/)(\.mcp\.json|\.claude\.json|\.claude\/[^/]+\.json)$/,
    dialect: "claude-code",
    timeout: "milliseconds"
  },
  { name: "cline", path: /(^|\/)cline_mcp_settings\.json$/, dialect: "cursor", timeout: "seconds" },
  { name: "roo", path: /(^|\/)(\.roo\/mcp|mcp_settings)\.json$/, dialect: "cursor", timeout: "seconds" },
  {
    name: "vscode",
    path:
      /(^|\/)(\.vscode\/mcp\.json|(code|code - insiders|vscodium)\/user\/(profiles\/[^/]+\/)?(mcp|settings)\.json|[^/]+\.code-workspace|\.copilot\/mcp-config\.json)$/,
    dialect: "vscode"
  },
  { name: "cursor", path: /(^|\/)\.cursor\/mcp\.json$/, dialect: "cursor" },
  { name: "windsurf", path: /(^|\/)\.codeium\/(windsurf\/)?mcp_config\.json$/, dialect: "cursor" },
  { name: "gemini", path: /(^|\/)\.(gemini|qwen)\/settings\.json$/, dialect: "gemini", timeout: "milliseconds" },
  { name: "lmstudio", path: /(^|\/)\.?(lmstudio|lm-studio)\/mcp\.json$/, dialect: "claude-desktop" },
  { name: "zed", path: /(^|\/)\.?zed\/settings\.json$/, dialect: "claude-desktop" },
  {
    name: "opencode",
    path: /(^|\/)(opencode\.jsonc?|opencode\/config\.json)$/,
    dialect: "opencode",
    timeout: "milliseconds"
  },
  { name: "crush", path: /(^|\/)\.?crush\.json$/, dialect: "gemini", timeout: "seconds" },
  { name: "codex", path: /(^|\/)\.codex\/config\.toml$/, dialect: "a2c" },
  { name: "goose", path: /(^|\/)goose\/(config\/)?config\.yaml$/, dialect: "a2c" },
  { name: "continue", path: /(^|\/)\.continue\/([^/]+\/)?[^/]+\.ya?ml$/, dialect: "a2c" }
]

/** The program whose file this is, as far as its path tells. */
export const programOf = (path: string): Program | undefined => {
  const plain = path.replaceAll("\\", "/").toLowerCase()
  return programs.find((program) => program.path.test(plain))
}

/** The folders of a project in which programs keep their files. */
const settingFolders =
  /[\\/](\.(vscode|cursor|roo|gemini|qwen|claude|zed|codex|copilot)|\.kiro[\\/]settings|\.continue([\\/]\w+)?)$/i

/** The folder of the project that a file belongs to. */
export const projectOf = (path: string): string => {
  const folder = dirname(resolve(path))
  const project = folder.replace(settingFolders, "")
  return project === "" ? folder.slice(0, 1) : project
}
