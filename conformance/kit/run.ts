import { describe, test } from 'vitest'
import { type Row, stepsOf, type Table, type Version, versionsOf } from './row.ts'
import { TARGET, World } from './world.ts'

const NAMES: Readonly<Record<Version, string>> = { 3: '3.1', 4: '3.1.1', 5: '5.0' }

/** Makes a test of each row, in each of its versions. */
export function runTable({ title, rows }: Table): void {
  describe(title, () => {
    for (const row of rows) {
      for (const version of versionsOf(row)) {
        const name = [NAMES[version], ...idsOf(row, version), row.name].join(' ')
        if (row.todo !== undefined) test.todo(`${name} (${row.todo})`)
        else test.skipIf(isOnlyForUs(row, version))(name, () => runRow(row, version))
      }
    }
  })
}

async function runRow(row: Row, version: Version): Promise<void> {
  const world = await World.begin(version, row.options)
  try {
    for (const [index, step] of stepsOf(row, version).entries()) {
      try {
        await step.run(world)
      } catch (error) {
        if (error instanceof Error) error.message = `step ${index + 1} (${step.name}): ${error.message}`
        throw error
      }
    }
  } finally {
    await world.end()
  }
}

/** Rows that reach into the server, or need options, say nothing about a server that is not ours. */
function isOnlyForUs(row: Row, version: Version): boolean {
  if (TARGET === undefined) return false
  return row.options !== undefined || stepsOf(row, version).some((step) => step.oursOnly === true)
}

function idsOf(row: Row, version: Version): string[] {
  const mark = version === 5 ? '5.0 ' : '3.1.1 '
  return row.covers.filter((key) => key.startsWith(mark)).map((key) => key.split(' ')[1]!)
}
