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
  constructor(message: string, cause?: unknown, code = 'ENGINE_UNAVAILABLE') {
    super(code, message, cause)
  }
}

/** The queue's server is there, but would throw away what it is given: it is not used until it is set otherwise. */
export class EngineUnsuitableError extends EngineUnavailableError {
  constructor(message: string) {
    super(message, undefined, 'ENGINE_UNSUITABLE')
  }
}

/** Somebody else holds the lease by now: nothing was written, and its work is no longer ours. */
export class LeaseLostError extends BridgeError {
  constructor(name: string) {
    super('LEASE_LOST', `the lease of ${name} is held by somebody else`)
  }
}
