/** One thing that is wrong with a configuration. */
export interface ConfigurationFault {
  /** As the file writes it: `mqtt.reconnect.max_attempts`. */
  readonly key: string
  /** What is wrong and what would be right. */
  readonly message: string
}

/** A configuration that cannot be: `faults` has all that is wrong with it. */
export class ConfigurationError extends Error {
  override name = 'ConfigurationError'
  readonly code = 'CONFIGURATION_REFUSED'
  readonly faults: readonly ConfigurationFault[]

  constructor(faults: readonly ConfigurationFault[]) {
    super(faults.map(({ message }) => message).join('; '))
    this.faults = faults
  }
}
