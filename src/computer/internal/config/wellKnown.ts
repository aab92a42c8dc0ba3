/**
 * Where programs keep the MCP servers of a person.
 */
import { posix, win32 } from "node:path"

/** A program whose servers can be taken over. */
export const programNames = [
  "claude",
  "claude-code",
  "vscode",
  "cursor",
  "windsurf",
  "cline",
  "gemini",
  "lmstudio",
  "zed",
  "opencode",
  "codex",
  "goose",
  "continue"
] as const
export type ProgramName = (typeof programNames)[number]

/** A place where a file may be. */
export interface Place {
  readonly program: ProgramName
  readonly path: string
  /** Whether it is of one project or of everything that the person does. */
  readonly scope: "project" | "user"
}

/** What decides about the places. */
export interface Machine {
  /** As Node names it: `linux`, `darwin`, `win32`. */
  readonly platform: string
  readonly home: string
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Every place where one of these programs may have a file, those of the project first. */
export const wellKnownPlaces = (machine: Machine): ReadonlyArray<Place> => {
  const { join } = machine.platform === "win32" ? win32 : posix
  return programNames.flatMap((program) => {
    const { project, user } = places(machine, join)[program]
    return [
      ...project.map((path) => ({ program, path: join(machine.cwd, path), scope: "project" as const })),
      ...user.map((path) => ({ program, path, scope: "user" as const }))
    ]
  })
}

type Places = Readonly<
  Record<ProgramName, { readonly project: ReadonlyArray<string>; readonly user: ReadonlyArray<string> }>
>

const places = (machine: Machine, join: (...parts: ReadonlyArray<string>) => string): Places => {
  const { env, home, platform } = machine
  const isWindows = platform === "win32"
  /** Where applications keep their settings. */
  const application = platform === "darwin"
    ? join(home, "Library", "Application Support")
    : isWindows
    ? named(env["APPDATA"]) ?? join(home, "AppData", "Roaming")
    : named(env["XDG_CONFIG_HOME"]) ?? join(home, ".config")
  /** Where programs of a terminal do, on macOS as well. */
  const config = isWindows ? application : named(env["XDG_CONFIG_HOME"]) ?? join(home, ".config")
  const code = ["Code", "Code - Insiders", "VSCodium"].map((name) => join(application, name, "User"))
  const claude = platform === "linux" ? ["Claude", "claude"] : ["Claude"]
  return {
    claude: { project: [], user: claude.map((name) => join(application, name, "claude_desktop_config.json")) },
    "claude-code": {
      project: [".mcp.json"],
      user: [join(named(env["CLAUDE_CONFIG_DIR"]) ?? home, ".claude.json")]
    },
    vscode: {
      project: [join(".vscode", "mcp.json")],
      user: [...code.map((folder) => join(folder, "mcp.json")), join(home, ".copilot", "mcp-config.json")]
    },
    cursor: { project: [join(".cursor", "mcp.json")], user: [join(home, ".cursor", "mcp.json")] },
    windsurf: { project: [], user: [join(home, ".codeium", "windsurf", "mcp_config.json")] },
    cline: {
      project: [],
      user: [
        ...code.map((folder) =>
          join(folder, "globalStorage", "saoudrizwan.claude-dev", "settings", "cline_mcp_settings.json")
        ),
        join(home, ".cline", "data", "settings", "cline_mcp_settings.json")
      ]
    },
    gemini: { project: [join(".gemini", "settings.json")], user: [join(home, ".gemini", "settings.json")] },
    lmstudio: {
      project: [],
      user: [join(home, ".lmstudio", "mcp.json"), join(home, ".cache", "lm-studio", "mcp.json")]
    },
    zed: {
      project: [join(".zed", "settings.json")],
      user: [isWindows ? join(application, "Zed", "settings.json") : join(config, "zed", "settings.json")]
    },
    opencode: {
      project: ["opencode.json", "opencode.jsonc"],
      user: ["opencode.json", "opencode.jsonc"].map((name) =>
        join(isWindows ? join(home, ".config") : config, "opencode", name)
      )
    },
    codex: {
      project: [join(".codex", "config.toml")],
      user: [join(named(env["CODEX_HOME"]) ?? join(home, ".codex"), "config.toml")]
    },
    goose: {
      project: [],
      user: [
        isWindows ? join(application, "Block", "goose", "config", "config.yaml") : join(config, "goose", "config.yaml")
      ]
    },
    continue: {
      project: [],
      user: [join(named(env["CONTINUE_GLOBAL_DIR"]) ?? join(home, ".continue"), "config.yaml")]
    }
  }
}

const named = (text: string | undefined): string | undefined => text === undefined || text === "" ? undefined : text
