import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import {
  type Invocation,
  invocationOf,
  killTree,
  mergeEnvironment
} from "../../../src/computer/internal/process/windowsCommand.ts"

const NODE = "C:\\Program Files\\nodejs"
const files = new Set([
  // as Node's installer puts them: the one without extension is for Unix shells
  `${NODE}\\npx`,
  `${NODE}\\npx.cmd`,
  `${NODE}\\node.exe`,
  "C:\\Tools\\uvx.exe",
  "C:\\Tools\\uvx.cmd",
  "C:\\Tools\\python3.11.exe",
  "C:\\Tools\\script.js",
  "C:\\Tools\\old.com",
  "C:\\work\\server.bat",
  "C:\\work\\node.exe",
  "C:\\work\\bin\\run.cmd",
  "D:\\a & b\\100%\\run.cmd"
].map((file) => file.toLowerCase()))

const env = { Path: `${NODE};"C:\\Tools";;bin`, SystemRoot: "C:\\Windows" }

const invoke = (command: string, args: ReadonlyArray<string> = [], more: object = {}) =>
  invocationOf({ command, args, env, cwd: "C:\\work", fileExists: (path) => files.has(path.toLowerCase()), ...more })

const invoked = (...request: Parameters<typeof invoke>): Invocation => Result.getOrThrow(invoke(...request))

const CMD = "C:\\Windows\\System32\\cmd.exe"

/** What `cmd.exe` makes of a line at its prompt: which variables it puts in, and which characters mean something to it. */
const readByCmd = (line: string): string => {
  assert.isTrue(line.startsWith("\"") && line.endsWith("\""), "the quotes that /s takes off")
  const inner = line.slice(1, -1)
  let text = ""
  for (let at = 0; at < inner.length; at++) {
    if (inner[at] !== "%") {
      text += inner[at]
      continue
    }
    const end = inner.indexOf("%", at + 1)
    // no variable has an empty name: the sign stays
    if (end === at + 1 || end === -1) {
      text += "%"
      continue
    }
    assert.strictEqual(inner.slice(at + 1, end), "cd:~,", "no other variable is put in")
    at = end
  }
  let inQuotes = false
  for (const character of text) {
    if (character === "\"") inQuotes = !inQuotes
    else if (!inQuotes) assert.notInclude("&|<>^()!,;=\t\r\n%", character, "means something outside of quotes")
  }
  assert.isFalse(inQuotes, "the quotes are closed")
  return text
}

/** The words of a command line as the C runtime gives them to a program. */
const readByProgram = (line: string): ReadonlyArray<string> => {
  const words: Array<string> = []
  let at = 0
  while (at < line.length) {
    if (line[at] === " ") {
      at++
      continue
    }
    let word = ""
    let inQuotes = false
    while (at < line.length && (inQuotes || line[at] !== " ")) {
      const slashes = /^\\*/.exec(line.slice(at))![0].length
      at += slashes
      if (line[at] !== "\"") {
        word += "\\".repeat(slashes)
        if (slashes > 0) continue
        word += line[at++]
        continue
      }
      word += "\\".repeat(slashes >> 1)
      at++
      if (slashes % 2 === 1) word += "\""
      else if (inQuotes && line[at] === "\"") {
        word += "\""
        at++
      } else inQuotes = !inQuotes
    }
    words.push(word)
  }
  return words
}

describe("a command on Windows", () => {
  for (
    const [command, file] of [
      ["node", `${NODE}\\node.exe`],
      ["NODE.EXE", `${NODE}\\NODE.EXE`],
      ["uvx", "C:\\Tools\\uvx.exe"],
      ["python3.11", "C:\\Tools\\python3.11.exe"],
      ["old", "C:\\Tools\\old.com"],
      [`${NODE}\\node`, `${NODE}\\node.exe`],
      ["C:/Tools/uvx.exe", "C:\\Tools\\uvx.exe"],
      [".\\node", "C:\\work\\node.exe"],
      ["./node.exe", "C:\\work\\node.exe"],
      ["..\\Tools\\uvx", "C:\\Tools\\uvx.exe"],
      // left to Windows, which says that there is none
      ["missing", "missing"],
      ["C:\\missing\\x.exe", "C:\\missing\\x.exe"],
      ["script.js", "script.js"]
    ] as const
  ) {
    it(`finds ${command}`, () => {
      assert.deepStrictEqual(invoked(command, ["a b"]), { file, args: ["a b"], verbatim: false })
    })
  }

  it("looks into the PATH in its order, with the extensions of PATHEXT in theirs, and not into the current directory", () => {
    assert.strictEqual(invoked("node", [], { env: { PATH: "C:\\work;" + NODE } }).file, "C:\\work\\node.exe")
    assert.strictEqual(invoked("node", [], { env: { PATH: "" } }).file, "node")
    assert.strictEqual(invoked("node", [], { env: {} }).file, "node")
    const line = invoked("uvx", [], { env: { ...env, PATHEXT: ".JS;.CMD;.EXE" } }).args.at(-1)!
    assert.deepStrictEqual(readByProgram(readByCmd(line)), ["C:\\Tools\\uvx.cmd"])
    assert.strictEqual(invoked("script", [], { env: { ...env, PATHEXT: ".JS" } }).file, "script")
  })

  it("runs a batch file through cmd.exe, wherever it is", () => {
    const { args, file, verbatim } = invoked("npx", ["-y", "@scope/server", "C:\\my files\\", "x=1"])
    assert.deepStrictEqual([file, verbatim], [CMD, true])
    assert.deepStrictEqual(args, [
      "/d",
      "/e:on",
      "/v:off",
      "/s",
      "/c",
      `""${NODE}\\npx.cmd" -y @scope/server "C:\\my files\\\\" "x=1""`
    ])
    for (const command of ["run", "bin\\run", "C:\\work\\bin\\RUN.CMD", ".\\server.bat", "D:\\a & b\\100%\\run"]) {
      assert.strictEqual(invoked(command).file, CMD, command)
      const [path, ...rest] = readByProgram(readByCmd(invoked(command).args.at(-1)!))
      assert.isTrue(files.has(path!.toLowerCase()), path)
      assert.deepStrictEqual(rest, [])
    }
    assert.strictEqual(invoked("npx", [], { env: { PATH: NODE } }).file, "cmd.exe")
  })

  const Nasty = Schema.Array(
    Schema.Literals([...Array.from("\"\\%^&|<>()!,;=\t ' aA1.-_~:é"), "%PATH%", "%cd:~,%", "\\\"", "&calc"])
  )

  it.prop("gives a batch file the arguments that were meant, whatever is in them", [Schema.Array(Nasty)], ([words]) => {
    const args = words.map((pieces) => pieces.join(""))
    const line = invoked("npx", args).args.at(-1)!
    assert.deepStrictEqual(readByProgram(readByCmd(line)), [`${NODE}\\npx.cmd`, ...args])
  }, { arbitrary: { runs: 1000 } })

  it("gives a batch file no arguments that it cannot be given, and says so", () => {
    for (const args of [["a\nb"], ["a\r"], ["\0"], ["x".repeat(9000)]]) {
      const result = invoke("npx", args)
      assert.isTrue(Result.isFailure(result))
      assert.match(Result.getOrThrow(Result.flip(result)), /batch file \(npx\.cmd\).*name the program/)
      assert.deepStrictEqual(invoked("node", args).args, args)
    }
  })

  it("sees one variable by any case of its name, the one that was given", () => {
    assert.deepStrictEqual(mergeEnvironment({ PATH: "a", HOME: "h" }, { Path: "b", X: "1" }), {
      HOME: "h",
      Path: "b",
      X: "1"
    })
  })

  it("is ended with all that it has started", () => {
    assert.deepStrictEqual(killTree(42, { SYSTEMROOT: "C:\\Windows" }), {
      file: "C:\\Windows\\System32\\taskkill.exe",
      args: ["/pid", "42", "/t", "/f"],
      verbatim: false
    })
    assert.strictEqual(killTree(42, {}).file, "taskkill.exe")
  })
})
