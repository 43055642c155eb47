import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The path of a foreign program (Debian keeps some in /usr/sbin), or undefined when this machine has none.
 *
 *  ```ts
 *  const mosquitto = program('mosquitto')
 *  describe.skipIf(mosquitto === undefined)('our client against Debian\'s Mosquitto', () => { … })
 *  ```
 *  vitest then counts the tests as skipped and names them. */
export function program(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
