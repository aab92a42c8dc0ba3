import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Result, Schema, Stdio, Stream } from "effect"
import { CliOutput, type Command } from "effect/cli"
import { TestConsole } from "effect/testing"
import { computerCommand } from "../../src/cli/ComputerCommand.ts"
import { commands, groups, usageOf } from "../../src/cli/console/ConsoleCommand.ts"
import { helpText } from "../../src/cli/console/internal/helpCommand.ts"
import { allNames, resolve } from "../../src/cli/console/internal/resolve.ts"
import * as Office from "../../src/cli/console/Office.ts"
import * as Questions from "../../src/cli/console/Questions.ts"
import * as Script from "../../src/cli/console/Script.ts"
import { Session } from "../../src/cli/console/Session.ts"
import * as View from "../../src/cli/console/View.ts"
import * as Words from "../../src/cli/console/Words.ts"
import * as Host from "../../src/computer/Host.ts"
import * as Revision from "../../src/protocol/Revision.ts"

const plain = { width: 100, colours: false }

/** Every name below a command, as it is typed. */
const namesBelow = (command: Command.Command.Any): ReadonlyArray<string> =>
  (command as { readonly subcommands: ReadonlyArray<{ readonly commands: ReadonlyArray<Command.Command.Any> }> })
    .subcommands
    .flatMap(({ commands }) => commands)
    .flatMap((each) => [each.name, ...namesBelow(each).map((name) => `${each.name} ${name}`)])

const layer = Layer.mergeAll(
  Host.layer({ servers: [] }),
  Office.layer({
    url: undefined,
    apiKey: undefined,
    revision: Revision.defaultRevision,
    landingRoot: undefined,
    state: "/nowhere",
    logEnd: false
  }),
  Questions.layerNobody,
  Layer.succeed(Session, { beside: undefined, revision: Revision.defaultRevision }),
  NodeFileSystem.layer
)

/** Runs lines as a script and gives what went to stdout, as values. */
const runLines = (lines: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const stdin = Stream.make(new TextEncoder().encode(lines.join("\n")))
    yield* Effect.flatMap(Script.linesOf("-"), (lines) =>
      Effect.exit(Script.script(lines, { json: true, keepGoing: true }))).pipe(
        Effect.provide(Layer.merge(layer, Stdio.layerTest({ stdin })))
      )
    return (yield* TestConsole.logLines).map((line): unknown =>
      JSON.parse(String(line))
    )
  }).pipe(Effect.provide(TestConsole.layer), Effect.scoped)

describe("the commands of the console", () => {
  it("have different names, and the help shows each with its arguments", () => {
    const text = helpText(commands, plain)
    for (const command of commands) {
      assert.include(text, `  ${usageOf(command)}`)
      for (const alias of command.aliases ?? []) assert.match(text, new RegExp(`also[^)]*${alias.replace("?", "\\?")}`))
    }
    for (const title of Object.values(groups)) assert.include(text, title)
    assert.strictEqual(new Set(allNames).size, allNames.length)
  })

  it("fit into the width", () => {
    for (const width of [60, 80, 200]) {
      const long = helpText(commands, { ...plain, width }).split("\n").filter((line) => line.length > width)
      // a usage that is longer than its column stands alone
      assert.deepStrictEqual(long, [])
    }
  })

  it("are commands of smcp computer as well, but for those of the screen and the help", () => {
    const known = namesBelow(computerCommand)
    const missing = commands.filter(({ name, promptOnly }) => promptOnly !== true && name !== "help")
      .flatMap(({ aliases = [], name }) => [name, ...aliases])
      .filter((name) => !known.includes(name))
    assert.deepStrictEqual(missing, [])
  })

  it("have the words of a2c-computer", () => {
    const words = [
      "help",
      "?",
      "status",
      "tools",
      "mcp",
      "server add {}",
      "server rm x",
      "server remove x",
      "start all",
      "stop x",
      "inputs load @f",
      "inputs add {}",
      "inputs update {}",
      "inputs rm x",
      "inputs remove x",
      "inputs get x",
      "inputs list",
      "inputs value list",
      "inputs value get x",
      "inputs value set x {\"a\": 1}",
      "inputs value rm x",
      "inputs value clear",
      "inputs value clear x",
      "desktop 3 window://x",
      "history 5",
      "socket connect http://localhost:1",
      "socket join \"my office\" \"my name\"",
      "socket leave",
      "notify update",
      "render {\"a\": \"${input:x}\"}",
      "tc {\"tool_name\": \"x\"}",
      "quit",
      "exit"
    ]
    for (const line of words) {
      const parsed = Result.flatMap(
        Result.mapError(Words.parse(line), ({ message }) => message),
        (each) => resolve(each)
      )
      assert.isTrue(Result.isSuccess(parsed), `${line}: ${JSON.stringify(parsed)}`)
    }
  })

  const wrong: ReadonlyArray<readonly [line: string, said: RegExp]> = [
    ["sttaus", /did you mean status\?/],
    ["stat", /did you mean status or start\?/],
    ["server", /server what\? .*server add/],
    ["server lits", /no command "server lits"; did you mean server list\?/],
    ["serve list", /no command "serve"; did you mean server list\?/],
    ["socket quux", /socket what\? .*socket join/],
    ["no", /^There is no command "no" \("help" lists all\)$/],
    ["http://127.0.0.1:1/callback?code=x", /"login <server> <address>" takes/],
    ["server rm", /<server> is missing. Usage: server rm <server>/],
    ["status now", /"now" is too much/],
    ["history many", /\[n\] is a number, not "many"/],
    ["render {} --show", /There is no --show/]
  ]
  it.each(wrong)("%s is refused with what to do", (line, said) => {
    const words = Words.parse(line)
    const resolved = Result.isSuccess(words) ? resolve(words.success) : undefined
    assert.isTrue(resolved !== undefined && Result.isFailure(resolved))
    if (resolved !== undefined && Result.isFailure(resolved)) assert.match(resolved.failure, said)
  })

  it.live("answer in JSON, whatever was done before", () =>
    Effect.gen(function*() {
      const answers = yield* runLines([
        "inputs add [{\"id\": \"who\", \"type\": \"promptString\", \"default\": \"me\"},",
        "inputs add {\"id\": \"key\", \"type\": \"promptString\", \"password\": true}",
        "inputs add {\"id\": \"who\", \"type\": \"promptString\", \"default\": \"me\"}",
        "inputs value set key s3cret-value",
        "inputs value get key",
        "inputs value set who",
        "render {\"a\": \"${input:who} ${input:key}\"}",
        "render {\"a\": \"${input:key}\"} --reveal",
        "render {\"a\": \"${input:nobody}\"}",
        "inputs get nobody",
        "inputs rm who",
        "inputs list",
        "server add {\"command\": 3",
        "server rm nothing",
        "socket leave",
        "notify update",
        "mcp"
      ])
      const [unclosed, , , , value, , rendered, revealed, missing, unknown, , list, , gone, left, notify, mcp] = answers
      assert.match(JSON.stringify(unclosed), /\[ is not closed \(column 12\)/)
      assert.notInclude(JSON.stringify(value), "s3cret-value")
      assert.deepStrictEqual(rendered, { a: "me ••••" })
      assert.deepStrictEqual(revealed, { a: "s3cret-value" })
      assert.match(JSON.stringify(missing), /nobody/)
      assert.match(JSON.stringify(unknown), /no such input.*key, who/)
      assert.deepStrictEqual((list as ReadonlyArray<{ readonly id: string }>).map(({ id }) => id), ["key"])
      assert.match(JSON.stringify(gone), /There is no MCP server/)
      assert.deepStrictEqual(left, { left: false })
      assert.match(JSON.stringify(notify), /sits in no office/)
      assert.deepStrictEqual((mcp as { readonly servers: unknown }).servers, {})
    }))

  it.effect("help on what is no command names the one that was meant", () =>
    Effect.gen(function*() {
      const [answer] = yield* runLines(["help cal"])
      assert.match(JSON.stringify(answer), /No help on \\"cal\\"; did you mean call or calls\?/)
    }))

  const Word = Schema.Union([
    Schema.Literals(
      commands.filter(({ name }) => !/^(quit|socket connect|socket join|config save)$/.test(name))
        .map(({ name }) => name)
    ),
    Schema.Literals([
      "{}",
      "[1]",
      "{\"a\":",
      "x",
      "all",
      "--reveal",
      "\"",
      "'",
      "7",
      "a=b",
      "{\"name\": 1}",
      "]",
      "\\"
    ]),
    Schema.String
  ])
  it.effect.prop(
    "outlive whatever is typed",
    { lines: Schema.Array(Schema.Array(Word)) },
    ({ lines }) =>
      Effect.gen(function*() {
        const typed = lines.map((words) => words.join(" ").replace(/[\r\n]/g, " ").replace(/@/g, ""))
        const answers = yield* runLines([...typed, "\"", "status"])
        assert.deepInclude(answers.at(-1), { connection: "none", calls: 0 })
      }),
    { arbitrary: { runs: 60 } }
  )
})

describe("a table of the console", () => {
  const Cell = Schema.String
  it.effect.prop(
    "is no wider than its page",
    { rows: Schema.Array(Schema.Tuple([Cell, Cell, Cell])), width: Schema.Literals([40, 80, 120]) },
    ({ rows, width }) =>
      Effect.sync(() => {
        const text = View.tableOf(["ONE", "TWO", "THREE"], rows.map((cells) => ({ cells })), { ...plain, width })
        const lines = text.split("\n")
        assert.lengthOf(lines, rows.length + 1)
        assert.isAtMost(Math.max(...lines.map(CliOutput.displayWidth)), width)
      })
  )
})
