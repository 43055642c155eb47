/** What a packet without properties has: one frozen object shared by all. */
export const NO_PROPERTIES: Readonly<Record<string, never>> = Object.freeze({})
