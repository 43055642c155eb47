/** An error of the bridge; `code` is stable. */
export class BridgeError extends Error {
  readonly code: string

  constructor(code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.code = code
  }
}

/** The queue cannot be read or written now: its disk is full, its server is down. Trying again later may help. */
export class EngineUnavailableError extends BridgeError {
  constructor(message: string, cause?: unknown) {
    super('ENGINE_UNAVAILABLE', message, cause)
  }
}

/** Somebody else holds the lease by now: nothing was written, and its work is no longer ours. */
export class LeaseLostError extends BridgeError {
  constructor(name: string) {
    super('LEASE_LOST', `the lease of ${name} is held by somebody else`)
  }
}
