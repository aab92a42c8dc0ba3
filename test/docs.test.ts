import { assert, describe, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { anchor } from "../scratchpad/docs/Markdown.ts"
import { folder, pages } from "../scratchpad/docs/Pages.ts"
import * as ErrorCatalogue from "../src/protocol/ErrorCatalogue.ts"

const root = new URL("../", import.meta.url)
const textOf = (path: string): string => readFileSync(new URL(path, root), "utf8")

const manuals = ["README.md", "CONTRIBUTING.md", ...readdirSync(folder).sort().map((name) => `docs/${name}`)]

/** Code without comments, each text that is written in pieces joined, so that a message can be found in it. */
const sourceOf = (name: string): string =>
  textOf(`src/${name}`)
    .replace(/^\s*\/\*[^]*?\*\/$/gm, "")
    .replace(/^\s*\/\/.*$/gm, "")
    .replace(/["`] \+\s*["`]/g, "")
    .replaceAll("\\\"", "\"")

const sourceNames = readdirSync(fileURLToPath(new URL("src", root)), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
const sources = sourceNames.map(sourceOf)
const commandSources = sourceNames.filter((name) => name.startsWith("cli")).map(sourceOf)

/** Whether this package can say a text in which `…`, and a version, stand for what differs. */
const canBeSaid = (text: string): boolean => {
  const parts = text.replace(/\d+\.\d+\.\d+/g, "…").split("…").map((part) => part.trim()).filter((part) => part !== "")
  const pattern = new RegExp(parts.map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("[^]{0,80}?"))
  return sources.some((source) => pattern.test(source))
}

const codeSpans = (markdown: string): ReadonlyArray<string> =>
  [...markdown.matchAll(/`([^`]+)`/g)].map(([, text]) => text!)

/** The quoted texts of the column "It says". */
const symptoms = (markdown: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  let inTable = false
  for (const line of markdown.split("\n")) {
    if (!line.startsWith("|")) inTable = false
    else if (line.startsWith("| It says |")) inTable = true
    else if (inTable) found.push(...codeSpans(line.split(/(?<!\\)\|/)[1]!))
  }
  return found
}

const anchorsOf = (markdown: string): ReadonlySet<string> =>
  new Set(markdown.split("\n").filter((line) => /^#+ /.test(line)).map((line) => anchor(line.replace(/^#+ /, ""))))

const said = ["README.md", "docs/troubleshooting.md"].flatMap((path) =>
  symptoms(textOf(path)).map((text) => [path, text] as const)
)

const troubleshooting = textOf("docs/troubleshooting.md")

/** What follows a heading, up to the next one of its kind. */
const sectionOf = (heading: string): string => troubleshooting.split(/^## /m).find((part) => part.startsWith(heading))!

describe("the documentation", () => {
  it.each(Object.entries(pages()))("has docs/%s as the values of src say it", (name, text) => {
    const path = `docs/${name}`
    assert.isTrue(existsSync(new URL(path, root)), `${path} is missing: run "npm run docs"`)
    assert.strictEqual(textOf(path), text, `${path} is stale: run "npm run docs" and commit it`)
  })

  it.each(said)("quotes in %s what this package says: %s", (_path, text) => {
    assert.isTrue(canBeSaid(text), `no source says ${JSON.stringify(text)}`)
  })

  it("would notice a text that nobody says, and finds the quotes it is to check", () => {
    assert.isFalse(canBeSaid("The Server is on … holidays"))
    assert.isFalse(canBeSaid("Room already has … agents"))
    assert.isAbove(said.filter(([path]) => path === "docs/troubleshooting.md").length, 60)
    assert.isAbove(said.filter(([path]) => path === "README.md").length, 5)
  })

  it.each([
    ["Reading blobs", ErrorCatalogue.errors.BlobNotAccessible],
    ["Uploading", ErrorCatalogue.errors.BlobWriteFailed]
  ])("tells what to do about every reason: %s", (heading, { kinds }) => {
    const named = [...sectionOf(heading).matchAll(/^\| `(\w+)` \|/gm)].map(([, reason]) => reason!)
    assert.sameMembers(named, Object.keys(kinds))
  })

  it.each(["docs/errors.md", "docs/troubleshooting.md"])("names in %s only options that smcp has", (path) => {
    const named = new Set([...textOf(path).matchAll(/(?<![\w-])--([a-z][\w-]*)/g)].map(([, option]) => option!))
    assert.isAbove(named.size, 3)
    const known = (option: string) => commandSources.some((source) => source.includes(`"${option}"`))
    assert.deepStrictEqual([...named].filter((option) => !known(option)), [])
  })

  it.each(manuals)("has no link in %s that leads nowhere", (path) => {
    const base = new URL(path, root)
    const targets = [...textOf(path).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!)
    for (const target of targets.filter((each) => !/^https?:/.test(each))) {
      const { hash, pathname } = new URL(target, base)
      const file = new URL(pathname, base)
      assert.isTrue(existsSync(file), `${path} links to ${target}`)
      if (hash !== "") assert.include([...anchorsOf(readFileSync(file, "utf8"))], hash.slice(1), `${path}: ${target}`)
    }
  })
})
