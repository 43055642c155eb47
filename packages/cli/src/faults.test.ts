import { expect, test } from 'vitest'
import { connectFault, explain } from './faults.ts'

const target = { host: '::1', port: 1884 }

function fault(code: string, message: string, more: object = {}): Error {
  return Object.assign(new Error(message), { code, ...more })
}

test('connectFault() names the broker, the reason and what to do', () => {
  const refused = connectFault(
    fault('CONNECTION_REFUSED', 'Not authorized (0x87)', { reasonCode: 0x87 }),
    target,
  )
  expect(refused.message).toBe(
    'the broker at [::1]:1884 refused the connection: Not authorized (0x87); check the user name (-u) and password (-P)',
  )
  expect(refused.exitCode).toBe(0x87)
})

test('connectFault() finds the system error behind causes and among the addresses tried', () => {
  const both = new AggregateError([
    fault('ECONNREFUSED', 'connect 127.0.0.1'),
    fault('ECONNREFUSED', 'connect ::1'),
  ])
  const lost = new Error('no connection', { cause: both })
  expect(connectFault(lost, target).message).toMatch(
    /^no broker answers at \[::1\]:1884 \(connection refused\); start one/,
  )
  expect(connectFault(lost, target).exitCode).toBe(1)
})

test('connectFault() and explain() give one line for anything', () => {
  expect(connectFault(new Error('odd\n  thing'), target).message).toBe(
    'cannot connect to [::1]:1884: odd thing',
  )
  expect(explain(new Error('a\nb'))).toEqual({ line: 'a b', exitCode: 1 })
  expect(explain(undefined)).toEqual({ line: 'undefined', exitCode: 1 })
  const circular = new Error('again')
  circular.cause = circular
  expect(connectFault(circular, target).message).toBe('cannot connect to [::1]:1884: again')
})
