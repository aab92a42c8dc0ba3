import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import { type Machine, type Plan, planSandbox, type Start } from "../../../src/computer/internal/process/sandbox.ts"
import type { SandboxSettings } from "../../../src/computer/ServerEntry.ts"

const start: Start = { command: "npx", args: ["-y", "a server"], env: {}, cwd: undefined }

const machine: Machine = {
  platform: "linux",
  bubblewrap: Result.succeed("/usr/bin/bwrap"),
  environment: {
    PATH: "/usr/bin:relative::/home/me:/home/me/bin:/home/me/.nvm/v20/bin:/missing/bin",
    HOME: "/home/me",
    LANG: "C.UTF-8",
    LC_ALL: "() { :; }",
    SECRET: "s",
    USER: "me",
    TMPDIR: "/var/tmp"
  },
  home: "/home/me",
  directory: "/home/me/here",
  folder: "/project",
  temporary: "/tmp/own",
  exists: (path) => !path.startsWith("/missing") && !/node$|lib64|libexec|cfg$/.test(path)
}

const without: Machine = { ...machine, bubblewrap: Result.fail("bubblewrap is not installed") }

const planned = (settings: SandboxSettings, starting: Partial<Start> = {}, on: Machine = machine): Plan =>
  Result.getOrThrow(planSandbox(settings, { ...start, ...starting }, on))

/** Where each path of a file system comes from, in the order of the mounts; those of the system are left out. */
const mountsOf = ({ args }: Plan): ReadonlyArray<string> => {
  const options = args.slice(0, args.indexOf("--"))
  return options.flatMap((option, index) => {
    const [first = "", second = ""] = options.slice(index + 1)
    if (option === "--tmpfs") return [`empty ${first}`]
    return option === "--bind" || option === "--ro-bind"
      ? [`${option === "--bind" ? "writable" : "readable"} ${first}${first === second ? "" : ` at ${second}`}`]
      : []
  })
}

const always = ["empty /tmp", "empty /home/me"]
const programs = ["readable /home/me/bin", "readable /home/me/.nvm/v20/bin", "readable /home/me/.nvm/v20/lib"]

/** What is said about the files, and what comes of it. */
const files: ReadonlyArray<
  readonly [
    what: string,
    settings: SandboxSettings,
    starting: Partial<Start>,
    on: Machine,
    mounts: ReadonlyArray<string>
  ]
> = [
  ["programs and a directory of its own", {}, {}, machine, [
    "empty /tmp",
    "empty /home/me",
    "writable /tmp/own",
    programs[0]!,
    programs[1]!,
    programs[2]!
  ]],
  [
    "what is named, from the folder of the file or the home directory",
    { writable: ["out", "~/data"], readable: ["/srv"] },
    {
      env: { PATH: "/usr/bin" }
    },
    machine,
    [
      "empty /tmp",
      "readable /srv",
      "empty /home/me",
      "writable /tmp/own",
      "writable /project/out",
      "writable /home/me/data"
    ]
  ],
  [
    "what is readable inside of what is writable",
    { writable: ["/p"], readable: ["/p/.git", "/p"] },
    {
      env: { PATH: "/usr/bin" }
    },
    machine,
    ["empty /tmp", "writable /p", "empty /home/me", "readable /p/.git", "writable /tmp/own"]
  ],
  ["the directory that it is to run in", {}, { cwd: "/work", env: { PATH: "/usr/bin" } }, machine, [
    "empty /tmp",
    "readable /work",
    "empty /home/me",
    "writable /tmp/own"
  ]],
  [
    "a directory to run in that may be written",
    { writable: ["/work"] },
    {
      cwd: "/work/sub",
      env: { PATH: "/usr/bin" }
    },
    machine,
    ["empty /tmp", "writable /work", "empty /home/me", "writable /tmp/own"]
  ],
  ["no home directory, whatever is to run in it", {}, { cwd: "/home", env: { PATH: "/usr/bin" } }, machine, [
    ...always,
    "writable /tmp/own"
  ]],
  [
    "the place of a program that is given by its path",
    {},
    { command: "/data/venv/bin/python", env: { PATH: "" } },
    machine,
    [
      "empty /tmp",
      "empty /home/me",
      "writable /tmp/own",
      "readable /data/venv/bin",
      "readable /data/venv/lib"
    ]
  ],
  ["nothing of a home directory that is among the system's", {}, { env: { PATH: "/opt/x" } }, {
    ...machine,
    home: "/opt/me"
  }, ["empty /tmp", "empty /opt/me", "writable /tmp/own"]],
  ["everything, where everything is named", { writable: ["/"] }, { env: { PATH: "/usr/bin" } }, machine, [
    "writable /",
    "empty /tmp",
    "empty /home/me",
    "writable /tmp/own"
  ]]
]

/** What cannot be started, and why. */
const impossible: ReadonlyArray<
  readonly [what: string, settings: SandboxSettings, starting: Partial<Start>, on: Machine, why: RegExp]
> = [
  [
    "without bubblewrap where it is required",
    { required: true },
    {},
    without,
    /is required, and bubblewrap is not inst/
  ],
  ["with a path that is not there", { writable: ["/missing/x"] }, {}, machine, /"\/missing\/x", which does not exist/],
  ["with a command that is not there", {}, { command: "node" }, machine, /the command was not found/]
]

describe("a sandbox", () => {
  it.each(files)("has %s", (_, settings, starting, on, mounts) => {
    assert.deepStrictEqual(mountsOf(planned(settings, starting, on)), mounts)
  })

  it.each(impossible)("is not entered %s", (_, settings, starting, on, why) => {
    const plan = planSandbox(settings, { ...start, ...starting }, on)
    assert.match(Result.isFailure(plan) ? plan.failure : "", why)
  })

  it("with bubblewrap ends with its parent, and runs the command as it is", () => {
    const plan = planned({})
    assert.strictEqual(plan.command, "/usr/bin/bwrap")
    assert.deepStrictEqual(plan.args.slice(plan.args.indexOf("--remount-ro")), [
      ...["--remount-ro", "/", "--chdir", "/tmp/own"],
      ...["--", "npx", "-y", "a server"]
    ])
    for (const option of ["--die-with-parent", "--unshare-pid", "--unshare-ipc"]) assert.include(plan.args, option)
    assert.deepStrictEqual([plan.isHeld, plan.cwd, plan.note], [true, "/tmp/own", "bubblewrap, with the network"])
  })

  it("has the network unless it may not", () => {
    assert.notInclude(planned({}).args, "--unshare-net")
    assert.notInclude(planned({ network: true }).args, "--unshare-net")
    const { args, note } = planned({ network: false })
    assert.include(args, "--unshare-net")
    assert.strictEqual(note, "bubblewrap, without the network")
  })

  it("shows no more of our environment than a program needs, and its own directory as home", () => {
    const small = { HOME: "/tmp/own", LANG: "C.UTF-8", PATH: machine.environment["PATH"], TMPDIR: "/tmp/own" }
    assert.deepStrictEqual<object>(planned({}).environment, small)
    assert.deepStrictEqual<object>(planned({}, {}, without).environment, small)
    const windows: Machine = {
      ...without,
      platform: "win32",
      environment: { PATH: "C:\\bin", SYSTEMROOT: "C:\\Windows", USERPROFILE: "C:\\Users\\me", SECRET: "s" },
      temporary: "C:\\own"
    }
    assert.deepStrictEqual<object>(planned({}, {}, windows).environment, {
      PATH: "C:\\bin",
      SYSTEMROOT: "C:\\Windows",
      ...Object.fromEntries(["APPDATA", "LOCALAPPDATA", "TEMP", "TMP", "USERPROFILE"].map((name) => [name, "C:\\own"]))
    })
  })

  it("without bubblewrap says what it is not, and leaves the command as it is", () => {
    const { args, command, cwd, isHeld, note } = planned({ network: false, writable: ["/missing"] }, {}, without)
    assert.deepStrictEqual([command, args, cwd, isHeld], ["npx", start.args, "/tmp/own", false])
    assert.strictEqual(
      note,
      "temporary directory and environment only, files and network are open: bubblewrap is not installed"
    )
    assert.strictEqual(planned({}, { cwd: "/work" }, without).cwd, "/work")
    // a path that was meant from here still leads there
    assert.strictEqual(planned({}, { command: "./run" }, without).command, "/home/me/here/run")
    assert.strictEqual(planned({}, { command: "./run", cwd: "/work" }, without).command, "./run")
  })
})
