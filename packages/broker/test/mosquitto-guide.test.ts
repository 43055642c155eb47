import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mosquittoGuide } from './mosquitto-guide.ts'

const guides = join(import.meta.dirname, '../../../docs/guide')

test("the guide to Mosquitto's files has what the table of options says (vitest -u writes it)", async () => {
  const example = readFileSync(join(guides, 'mosquitto.conf'), 'utf8')
  await expect(mosquittoGuide(example)).toMatchFileSnapshot(join(guides, 'mosquitto.md'))
})
