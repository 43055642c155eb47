/** A configuration file as it stands: a JSON object, unknown keys and the style of its keys included. */
export type ConfigurationFile = { readonly [key: string]: unknown }

/** Keeps the configuration file across deep sleep. */
export interface ConfigurationStore {
  /** The whole file.
   *  @throws when there is none, or when it cannot be read */
  load(): Promise<ConfigurationFile>
  /** Puts another in its place, whole or not at all; settles when it will survive a power cut. */
  save(file: ConfigurationFile): Promise<void>
}

/** A store that lasts as long as the process: for tests and simulated devices. */
export function memoryConfiguration(file: ConfigurationFile): ConfigurationStore {
  // Text, so that nobody changes the file without saving it.
  let text = JSON.stringify(file)
  return {
    load: async () => JSON.parse(text) as ConfigurationFile,
    async save(changed) {
      text = JSON.stringify(changed)
    },
  }
}
