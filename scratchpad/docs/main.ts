/** `npm run docs`: writes the generated pages of `docs/`. */
import { mkdirSync, writeFileSync } from "node:fs"
import { folder, pages } from "./Pages.ts"

mkdirSync(folder, { recursive: true })
for (const [name, text] of Object.entries(pages())) writeFileSync(new URL(name, folder), text)
