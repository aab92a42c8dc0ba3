import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { parse } from "../../src/computer/ConfigFile.ts"

describe("ConfigFile of another program", () => {
  it.effect("reads what Codex says of variables", () =>
    Effect.gen(function*() {
      const { servers } = yield* parse(
        `[mcp_servers.remote]
url = "https://a/\${x}"
bearer_token_env_var = "TOKEN"
env_http_headers = { "X-Id" = "ID" }
[mcp_servers.local]
command = "x"
env = { A = "\${b}" }
env_vars = ["HOME"]
startup_timeout_sec = 20
tool_timeout_sec = 45.5
disabled_tools = ["rm"]
enabled = false
`,
        "/h/.codex/config.toml"
      )
      const [remote, local] = servers
      assert.deepInclude(remote?.config.server_parameters as object, {
        url: "https://a/$${x}",
        headers: { "X-Id": "${env:ID}", Authorization: "Bearer ${env:TOKEN}" }
      })
      assert.deepInclude(local?.config.server_parameters as object, { env: { A: "$${b}", HOME: "${env:HOME}" } })
      assert.deepStrictEqual<object | undefined>(local?.settings, { startTimeout: 20, callTimeout: 45.5 })
      assert.deepStrictEqual([local?.config.disabled, local?.config.forbidden_tools], [true, ["rm"]])
      const broken = yield* Effect.flip(parse("[mcp_servers.a]\ntoken = hunter2", "/h/.codex/config.toml"))
      assert.match(broken.message, /is not valid TOML at line 2, column \d+$/)
    }))

  it.effect("reads what Goose says of variables, and leaves out what is a part of it", () =>
    Effect.gen(function*() {
      const { diagnostics, servers } = yield* parse(
        `extensions:
  developer: { type: builtin, name: developer, enabled: true, bundled: true, timeout: 300, display_name: Developer }
  todo: { type: platform, name: todo, enabled: true, description: null }
  local:
    type: stdio
    name: local
    cmd: x
    args: ["\${a}"]
    description: null
    envs: { A: "\${b}", PORT: "8080" }
    env_keys: [TOKEN, A]
    timeout: 300
    enabled: false
    bundled: null
    available_tools: []
  remote:
    type: streamable_http
    uri: https://a/\${x}
    envs: { ORG: "o\${r}g" }
    env_keys: [TOKEN]
    headers: { Authorization: "Bearer $TOKEN", X-Org: "\${ ORG }-$OTHER \${OTHER}" }
    timeout: null
    available_tools: [read]
`,
        "/h/.config/goose/config.yaml"
      )
      const [local, remote, ...others] = servers
      assert.isEmpty(others)
      assert.deepInclude(local?.config.server_parameters as object, {
        command: "x",
        args: ["$${a}"],
        env: { A: "$${b}", PORT: "8080", TOKEN: "${env:TOKEN}" }
      })
      assert.deepStrictEqual<object | undefined>([local?.config.disabled, local?.settings], [true, {
        callTimeout: 300
      }])
      assert.strictEqual(remote?.config.type, "streamable")
      assert.deepInclude(remote?.config.server_parameters as object, {
        url: "https://a/$${x}",
        headers: { Authorization: "Bearer ${env:TOKEN}", "X-Org": "o$${r}g-$OTHER $${OTHER}" }
      })
      assert.deepStrictEqual<object | undefined>(remote?.settings, {})
      assert.deepStrictEqual(diagnostics.map(({ message, severity }) => [severity, message]), [
        [
          "warning",
          "Server \"remote\": available_tools is not applied: every tool of the server is offered; name those to hide in \"forbidden_tools\""
        ],
        ["warning", "Left out, since only Goose itself can run them: \"developer\", \"todo\""]
      ])
    }))

  it.effect("reads what Continue says of variables, and leaves out blocks of its hub", () =>
    Effect.gen(function*() {
      const { diagnostics, servers } = yield* parse(
        `name: Mine
version: 0.0.1
schema: v1
models: []
mcpServers:
  - uses: someone/some-mcp
  - name: Browser search
    command: npx
    args: ["--token", "\${{ secrets.TOKEN }}", "\${HOME}"]
    env: { T: "a-\${{inputs.T}}" }
    cwd: /w
    connectionTimeout: 2500
    faviconUrl: https://f
  - name: key
    type: streamable-http
    url: https://a
    apiKey: \${{ secrets.KEY }}
    requestOptions: { headers: { X-A: b } }
  - name: header
    type: sse
    url: https://b
    apiKey: unused
    requestOptions: { headers: { authorization: "Basic \${{ secrets.KEY }}" }, verifySsl: false }
`,
        "/h/.continue/config.yaml"
      )
      const [search, key, header] = servers
      assert.deepStrictEqual(servers.map(({ config }) => config.type), ["stdio", "streamable", "sse"])
      assert.deepInclude(search?.config.server_parameters as object, {
        command: "npx",
        args: ["--token", "${env:TOKEN}", "$${HOME}"],
        env: { T: "a-${env:T}" },
        cwd: "/w"
      })
      assert.deepStrictEqual<object | undefined>(search?.settings, { startTimeout: 2.5 })
      assert.deepInclude(key?.config.server_parameters as object, {
        headers: { Authorization: "Bearer ${env:KEY}", "X-A": "b" }
      })
      assert.deepInclude(header?.config.server_parameters as object, {
        headers: { authorization: "Basic ${env:KEY}" }
      })
      assert.deepStrictEqual(diagnostics.map(({ message, severity }) => [severity, message]), [
        ["warning", "\"requestOptions\" means nothing here and is ignored (\"header\")"],
        [
          "warning",
          "The block \"someone/some-mcp\" of Continue's hub was left out; write down the server that it stands for"
        ]
      ])
    }))
})
