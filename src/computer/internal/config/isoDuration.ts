const PATTERN = /^P(?:([\d.]+)D)?(?:T(?:([\d.]+)H)?(?:([\d.]+)M)?(?:([\d.]+)S)?)?$/
const SECONDS = [86_400, 3_600, 60, 1]

/** The milliseconds of an ISO 8601 duration such as `PT1M30S`; `undefined` for what is none, or longer than days. */
export const isoDurationMillis = (text: string): number | undefined => {
  const parts = PATTERN.exec(text.trim())?.slice(1)
  if (parts === undefined || parts.every((part) => part === undefined)) return undefined
  const seconds = parts.reduce((sum, part, index) => sum + Number(part ?? 0) * (SECONDS[index] ?? 0), 0)
  return Number.isFinite(seconds) ? seconds * 1000 : undefined
}
