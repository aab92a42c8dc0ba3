/** Shorter values are flags and numbers; hiding them would only make the text unreadable. */
const MIN_SECRET_LENGTH = 4

/**
 * A function that replaces every occurrence of the given values by `***`, in the forms in which a program is likely to
 * print them: as they are, line by line, and escaped as in JSON or in an address.
 */
export const makeRedactor = (values: Iterable<string>): (text: string) => string => {
  const forms = new Set<string>()
  for (const value of values) {
    for (const form of [value, ...value.split(/\r?\n/), JSON.stringify(value).slice(1, -1), inAddress(value)]) {
      if (form.trim().length >= MIN_SECRET_LENGTH) forms.add(form)
    }
  }
  // longest first: a value that contains another one is hidden whole
  const secrets = [...forms].sort((a, b) => b.length - a.length)
  return (text) => secrets.reduce((cleaned, secret) => cleaned.replaceAll(secret, "***"), text)
}

const inAddress = (value: string): string => {
  try {
    return encodeURIComponent(value)
  } catch {
    // half a character has no such form
    return value
  }
}

/** How many values that became known later are hidden; logins change from time to time. */
const MAX_LATER = 16

/** A redactor that learns values as it goes; the newest of them are hidden. */
export const makeLearningRedactor = (
  values: ReadonlyArray<string>
): { readonly clean: (text: string) => string; readonly hide: (...values: ReadonlyArray<string>) => void } => {
  const later = new Set<string>()
  let redact = makeRedactor(values)
  return {
    clean: (text) => redact(text),
    hide: (...more) => {
      if (more.every((value) => later.has(value))) return
      for (const value of more) later.add(value)
      for (const oldest of [...later].slice(0, -MAX_LATER)) later.delete(oldest)
      redact = makeRedactor([...values, ...later])
    }
  }
}
