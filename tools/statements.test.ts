import { describe, expect, test } from 'vitest'
import { allStatements, coverage, parseStatements } from './statements.ts'

const table = [
  'id\tsection\twho\tstatement',
  'MQTT-1.0.0-1\t1 One\tboth\tBoth do it',
  'MQTT-1.0.0-2\t1 One\tserver\tServers do it',
  'MQTT-1.0.0-3\t1 One\tany\tSomebody does it',
].join('\n')

describe('coverage()', () => {
  const statements = parseStatements('5.0', table)

  test('lists each side that no row names, and another version does not count', () => {
    const rows = [
      { covers: ['5.0 MQTT-1.0.0-1 client', '3.1.1 MQTT-1.0.0-2 server'] },
      { covers: ['5.0 MQTT-1.0.0-2 server'], todo: 'not run, so not covered' },
    ]
    expect(coverage(statements, rows)).toEqual({
      covered: 1,
      total: 4,
      missing: [
        '5.0 MQTT-1.0.0-1 server: Both do it',
        '5.0 MQTT-1.0.0-2 server: Servers do it',
        '5.0 MQTT-1.0.0-3 client: Somebody does it',
      ],
      unknown: ['3.1.1 MQTT-1.0.0-2 server'],
    })
  })

  test('is whole when either side shows what binds any', () => {
    const covers = ['1 client', '1 server', '2 server', '3 server'].map((key) => `5.0 MQTT-1.0.0-${key}`)
    const rows = [{ covers }]
    expect(coverage(statements, rows)).toMatchObject({ covered: 4, total: 4, missing: [], unknown: [] })
  })
})

describe('parseStatements()', () => {
  test('refuses a line that is no statement, and names it', () => {
    expect(() => parseStatements('5.0', `${table}\nMQTT-1\tx\tboth\ty`)).toThrow('5.0, line 5')
  })

  test('reads the tables of both versions, each id once', () => {
    const keys = allStatements().map(({ version, id }) => `${version} ${id}`)
    expect(new Set(keys).size).toBe(keys.length)
    expect(keys.filter((key) => key.startsWith('3.1.1 '))).toHaveLength(141)
    expect(keys.filter((key) => key.startsWith('5.0 '))).toHaveLength(251)
  })
})
