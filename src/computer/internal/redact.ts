/** Shorter values are flags and numbers; hiding them would only make the text unreadable. */
const MIN_SECRET_LENGTH = 4

/**
 * A function that replaces every occurrence of the given values by `***`, in the forms in which a program is likely to
 * print them: as they are, line by line, and escaped as in JSON.
 */
export const makeRedactor = (values: Iterable<string>): (text: string) => string => {
  const forms = new Set<string>()
  for (const value of values) {
    for (const form of [value, ...value.split(/\r?\n/), JSON.stringify(value).slice(1, -1)]) {
      if (form.trim().length >= MIN_SECRET_LENGTH) forms.add(form)
    }
  }
  // longest first: a value that contains another one is hidden whole
  const secrets = [...forms].sort((a, b) => b.length - a.length)
  return (text) => secrets.reduce((cleaned, secret) => cleaned.replaceAll(secret, "***"), text)
}
