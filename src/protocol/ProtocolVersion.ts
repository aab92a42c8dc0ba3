/**
 * Protocol versions as the handshake carries them, and when two of them may talk.
 */

/** A parsed `MAJOR.MINOR.PATCH`. */
export interface ProtocolVersion {
  readonly major: number
  readonly minor: number
  readonly patch: number
}

const pattern = /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})$/

/**
 * Parses exactly three decimal numbers joined by dots. Anything else, a
 * pre-release suffix included, is `undefined` (specification, versioning).
 */
export const parse = (text: string): ProtocolVersion | undefined => {
  const match = pattern.exec(text)
  return match === null
    ? undefined
    : { major: Number(match[1]), minor: Number(match[2]), patch: Number(match[3]) }
}

/** Below zero when the first is the older one, above zero when it is the newer one. */
export const compare = (left: ProtocolVersion, right: ProtocolVersion): number =>
  left.major - right.major || left.minor - right.minor || left.patch - right.patch

/**
 * Whether a client may talk to a server. While MAJOR is 0 both MAJOR and MINOR
 * must be equal; from 1.0 on MAJOR must be equal and the server's MINOR at
 * least the client's. PATCH never matters.
 */
export const isCompatible = (server: ProtocolVersion, client: ProtocolVersion): boolean =>
  server.major === client.major &&
  (server.major === 0 ? server.minor === client.minor : server.minor >= client.minor)

/** The range of client versions a server accepts, as a 4008 refusal reports it. */
export const supportedRange = (server: ProtocolVersion): { readonly min: string; readonly max: string } => ({
  min: `${server.major}.${server.major === 0 ? server.minor : 0}.0`,
  max: `${server.major}.${server.minor}.999`
})
