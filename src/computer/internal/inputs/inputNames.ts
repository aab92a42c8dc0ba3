/**
 * The environment variables that inputs are read from (specification 0.3, inputs: environment).
 */
const PREFIX = "A2C_SMCP_"

/** The variable of an input: its id with everything replaced that no variable may hold. Upper and lower case are kept. */
export const variableOf = (id: string): string => PREFIX + id.replace(/[^A-Za-z0-9_]/gu, "_")

/** Windows does not tell variables by their case. */
const comparable = (variable: string, platform: NodeJS.Platform): string =>
  platform === "win32" ? variable.toUpperCase() : variable

/** The id among these that would be read from the same variable as another one: one of them would get the other's value. */
export const collidingId = (
  id: string,
  others: Iterable<string>,
  platform: NodeJS.Platform = process.platform
): string | undefined => {
  const variable = comparable(variableOf(id), platform)
  for (const other of others) {
    if (other !== id && comparable(variableOf(other), platform) === variable) return other
  }
  return undefined
}

/** Why two inputs cannot be used beside each other. */
export const collision = (id: string, other: string): string =>
  `The inputs "${id}" and "${other}" would both be read from the environment variable ${variableOf(id)}; rename one`
