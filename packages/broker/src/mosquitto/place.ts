/** Where a mapping puts what it has to say. */
export interface Place {
  readonly faults: string[]
  readonly warnings: string[]
  readonly unsupported: string[]
}

/** Sets a key when there is something to set. */
export function put(target: Record<string, unknown>, key: string, value: unknown): void {
  if (value !== undefined) target[key] = value
}
