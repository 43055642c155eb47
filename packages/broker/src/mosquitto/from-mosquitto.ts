import { readMosquitto } from './configuration.ts'
import { documentOf, type MosquittoDocument, type MosquittoHost } from './document.ts'
import type { MosquittoFile, ReadFolder } from './lines.ts'

/** Reads a mosquitto.conf, and says it as a configuration file of ours: one document, to be written as YAML.
 *  @param readFolder gives the files of an `include_dir`
 *  @throws ConfigurationError with a line for each fault: where, what, and what would be right */
export function fromMosquitto(
  main: MosquittoFile,
  readFolder: ReadFolder,
  host: MosquittoHost,
): MosquittoDocument {
  return documentOf(readMosquitto(main, readFolder), host)
}
