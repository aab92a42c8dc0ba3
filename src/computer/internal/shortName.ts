const LONGEST = 256

/** A name that an Agent chose, so short that it fills neither the memory nor the disk. */
export const shortName = (name: string): string => name.length > LONGEST ? `${name.slice(0, LONGEST)}…` : name
