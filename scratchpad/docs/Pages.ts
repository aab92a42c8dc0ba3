/** The generated pages of `docs/`. */
import { errorsPage } from "./ErrorsPage.ts"
import { eventsPage } from "./EventsPage.ts"
import { revisionsPage } from "./RevisionsPage.ts"

/** Where they are written. */
export const folder = new URL("../../docs/", import.meta.url)

/** The text of each page by its file name. */
export const pages = (): Readonly<Record<string, string>> => ({
  "errors.md": errorsPage(),
  "events.md": eventsPage(),
  "revisions.md": revisionsPage()
})
