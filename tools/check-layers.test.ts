import { describe, expect, test } from 'vitest'
import { dependencyFaults, type SourceFile, violations } from './check-layers.ts'

const file = (path: string, ...lines: string[]): SourceFile => ({ path, text: lines.join('\n') })

describe('violations()', () => {
  test.each([
    [file('client/src/client.ts', "import { Broker } from '@pipit/broker'"), 'may not import @pipit/broker'],
    [
      file('client/src/client.test.ts', "import { Broker } from '@pipit/broker'"),
      'may not import @pipit/broker',
    ],
    [
      file('broker/test/a.test.ts', "import { connect } from '@pipit/client'"),
      'may not import @pipit/client',
    ],
    [
      file('broker/src/a.ts', "import type { MqttClient } from '@pipit/client'"),
      'may not import @pipit/client',
    ],
    [file('broker/src/a.ts', "const m = await import('@pipit/client')"), 'may not import @pipit/client'],
    [file('client/src/a.ts', 'import {', '  Broker,', "} from '@pipit/broker/config'"), ':1: '],
    [file('protocol/src/codec/a.ts', "export * from '@pipit/client'"), 'may not import @pipit/client'],
    [file('client/src/a.ts', "import { x } from '../../broker/src/x.ts'"), 'reaches out of its package'],
    [
      file('client/test/a.test.ts', "import { x } from '../../broker/src/x.ts'"),
      'reaches out of its package',
    ],
  ])('refuses another package: %j', (source, fault) => {
    expect(violations([source])).toEqual([expect.stringContaining(fault)])
  })

  test.each([
    [file('protocol/src/codec/a.ts', "import { x } from '../session/x.ts'"), 'a layer above it'],
    [file('protocol/src/codec/a.ts', "import { x } from '../index.ts'"), 'a layer above it'],
    [file('protocol/src/codec/utf8.ts', "import { x } from './reader.ts'"), 'a layer above it'],
    [file('protocol/src/errors.ts', "import { x } from './codec/x.ts'"), 'a layer above it'],
    [file('protocol/src/errors.ts', "import type { x } from './session/x.ts'"), 'a layer above it'],
    [file('device/src/lights/a.ts', "import { x } from '../sensors/x.ts'"), 'beside each other'],
    [file('broker/src/sessions/a.ts', "import { x } from '../handlers/x.ts'"), 'a layer above it'],
    [file('broker/src/routing/a.ts', "import { Session } from '../sessions/session.ts'"), 'a layer above it'],
    [file('protocol/src/new/a.ts', ''), 'has no layer yet'],
    [file('novel/src/a.ts', ''), 'not in tools/layers.ts'],
  ])('refuses an import upward or sideways: %j', (source, fault) => {
    expect(violations([source])).toEqual([expect.stringContaining(fault)])
  })

  test.each([
    [
      file('protocol/src/codec/a.ts', "import { Buffer } from 'node:buffer'"),
      'may use Node only in its tests',
    ],
    [file('device/src/lights/a.ts', "import { setTimeout } from 'node:timers/promises'"), 'only in node'],
    [file('device/src/lights/a.ts', "import 'node:net'"), 'only in node'],
    [file('broker/src/a.ts', "import net from 'net'"), 'write "node:net"'],
  ])('refuses Node where it may not be used: %j', (source, fault) => {
    expect(violations([source])).toEqual([expect.stringContaining(fault)])
  })

  test('lets through what the rules allow', () => {
    const allowed = [
      file(
        'protocol/src/session/a.ts',
        "import { x } from '../codec/x.ts'",
        "import { E } from '../errors.ts'",
      ),
      file('protocol/src/errors.ts', "import type { x } from './codec/x.ts'"),
      file('protocol/src/index.ts', "export * from './topics/filters.ts'"),
      file(
        'protocol/src/codec/a.test.ts',
        "import { readFileSync } from 'node:fs'",
        "import { x } from '../session/x.ts'",
      ),
      file('client/src/transport/tcp.ts', "import net from 'node:net'"),
      file('device/src/node.ts', "import net from 'node:net'"),
      file(
        'broker/src/handlers/a.ts',
        "import { x } from '@pipit/protocol'",
        "import { s } from '../sessions/s.ts'",
      ),
      file(
        'cli/src/up.ts',
        "import { Broker } from '@pipit/broker'",
        "import { connect } from '@pipit/client'",
      ),
      file('broker/src/routing/a.ts', "import type { Session } from '../sessions/session.ts'"),
      file('console/src/api/a.ts', "import type { Broker } from '@pipit/broker'"),
    ]
    expect(violations(allowed)).toEqual([])
  })

  test('tells a type from a value where only types may be imported', () => {
    const source = file('console/src/api/a.ts', "import { Broker } from '@pipit/broker'")
    expect(violations([source])).toEqual([expect.stringContaining('only types of @pipit/broker')])
  })
})

describe('dependencyFaults()', () => {
  test('refuses a dependency at run time where there may be none, and a package that may not be imported', () => {
    expect(dependencyFaults('client', ['@pipit/protocol', 'ws'])).toEqual([expect.stringContaining('"ws"')])
    expect(dependencyFaults('broker', ['ws', '@pipit/client'])).toEqual([
      expect.stringContaining('"@pipit/client"'),
    ])
  })
})
