/** Links to the specification of the protocol. */
import type { SpecificationPage } from "../../src/protocol/EventCatalogue.ts"

const ROOT = "https://github.com/A2C-SMCP/a2c-smcp-protocol/blob/main/docs/specification"

/** A link to one of its pages. */
export const specification = (page: SpecificationPage): string => `[${page}](${ROOT}/${page}.md)`
