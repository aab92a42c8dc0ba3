/**
 * The keychain of the operating system. The package behind it is optional, and native: it is loaded when it is needed.
 */

export interface Account {
  readonly service: string
  readonly name: string
}

/** A keychain. Nothing of it blocks: the operating system is asked on another thread. */
export interface Keyring {
  readonly get: (account: Account, signal: AbortSignal) => Promise<string | null>
  readonly set: (account: Account, secret: string, signal: AbortSignal) => Promise<void>
  readonly remove: (account: Account, signal: AbortSignal) => Promise<boolean>
}

/** Rejects with Node's `ERR_MODULE_NOT_FOUND` when the package is not installed. */
export const loadKeyring = async (): Promise<Keyring> => {
  const { AsyncEntry } = await import("@napi-rs/keyring")
  const entry = ({ name, service }: Account) => new AsyncEntry(service, name)
  return {
    get: (account, signal) => entry(account).getPassword(signal),
    set: (account, secret, signal) => entry(account).setPassword(secret, signal),
    remove: (account, signal) => entry(account).deletePassword(signal)
  }
}
