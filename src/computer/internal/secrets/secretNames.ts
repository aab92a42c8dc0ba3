/**
 * Recognises secrets by the name of what holds them.
 *
 * How eager that has to be depends on what is named: an argument of a tool that is hidden for nothing is one that a person
 * cannot judge, while of a variable or an option little is lost.
 */

const SECRET_WORDS = new Set(
  ("password passwords passwd passphrase passcode pwd secret secrets token tokens authorization cookie cookies " +
    "credential credentials apikey apikeys privatekey accesskey secretkey signingkey encryptionkey authkey accesstoken " +
    "refreshtoken idtoken authtoken clientsecret bearer jwt otp totp pin ssn cvv").split(" ")
)

/** Words that make a key secret: `api_key` is, `sort_key` is not. */
const SECRET_KEYS = new Set(
  "api private access secret signing encryption auth ssh master session service account".split(" ")
)

/** The words of a name in camelCase, snake_case, kebab-case or dotted. */
const wordsOf = (name: string): ReadonlyArray<string> =>
  name.slice(0, LONGEST_NAME)
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)

const LONGEST_NAME = 200

/** Whether what has this name, whatever it is, is likely to be secret: one of its words says so, not a part of a word. */
export const isSecretName = (name: string): boolean => {
  const words = wordsOf(name)
  return words.some((word, index) =>
    SECRET_WORDS.has(word) || (/^keys?$/.test(word) && SECRET_KEYS.has(words[index - 1] ?? ""))
  )
}

/** `STRIPE_KEY`, `DATABASE_DSN`, `PGPASSWORD` */
const secretVariable = /passw|(?:^|[_-])(?:key|pat|auth|dsn|session)(?:[_-]|$)/i

/** Whether the name of a variable, or the id of an input, says that its value is a secret. */
export const isSecretVariable = (name: string): boolean => isSecretName(name) || secretVariable.test(name)

/** `--key`, `--pass`, `?sig=`: common words elsewhere. */
const secretOption = /^(?:key|sig|signature|auth|code|pat|pass)$/i

/** Whether the name of an option, or of a part of an address, says that its value is a secret. */
export const isSecretOption = (name: string): boolean => isSecretName(name) || secretOption.test(name)
