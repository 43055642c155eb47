import { expect, test } from 'vitest'
import { Ledger, lostReadings } from './ledger.ts'

test('Ledger puts every reading in one place', () => {
  const ledger = new Ledger(2)
  for (let i = 0; i < 6; i++) expect(ledger.measure(0, i * 1000)).toBe(i + 1)
  // 1: the plain way. 2: sent twice, received twice. 3: acknowledged only. 4: kept. 5: gave way. 6: power went.
  ledger.published(0, 1)
  ledger.acknowledge(0, 1)
  expect(ledger.receive(0, 1, 500)).toBe(true)
  ledger.published(0, 2)
  ledger.published(0, 2)
  ledger.acknowledge(0, 2)
  expect(ledger.receive(0, 2, 3000)).toBe(true)
  expect(ledger.receive(0, 2, 4000)).toBe(false)
  ledger.published(0, 3)
  ledger.acknowledge(0, 3)
  expect(ledger.owed).toBe(1)
  ledger.takeStock(0, new Set([4, 6]), 'outboxFull')
  ledger.takeStock(0, new Set([4]), 'power')
  const account = ledger.account()
  expect(account).toEqual({
    measured: 6,
    received: 2,
    kept: 1,
    lost: { outboxFull: 1, power: 1, acknowledged: 1, unexplained: 0 },
    publishes: 4,
    retries: 1,
    acknowledged: 3,
    duplicates: 1,
    strange: 0,
    age: { median: 2000, p99: 2000, most: 2000 },
  })
  expect(account.received + account.kept + lostReadings(account)).toBe(account.measured)
})

test('Ledger counts a reading that came though its device never heard so, and one that nobody sent', () => {
  const ledger = new Ledger(1)
  ledger.measure(0, 0)
  ledger.published(0, 1)
  ledger.receive(0, 1, 100)
  ledger.receive(0, 2, 100)
  ledger.receive(7, 1, 100)
  ledger.takeStock(0, new Set(), 'power')
  expect(ledger.account()).toMatchObject({ received: 1, strange: 2, lost: { power: 0, unexplained: 0 } })
})

test('Ledger says of a reading that nothing became of that nobody knows', () => {
  const ledger = new Ledger(1)
  ledger.measure(0, 0)
  expect(ledger.account()).toMatchObject({ received: 0, kept: 0, lost: { unexplained: 1 } })
})

test('what was kept and came later is received', () => {
  const ledger = new Ledger(1)
  ledger.measure(0, 0)
  ledger.takeStock(0, new Set([1]), 'outboxFull')
  ledger.published(0, 1)
  ledger.acknowledge(0, 1)
  ledger.receive(0, 1, 9000)
  expect(ledger.account()).toMatchObject({ received: 1, kept: 0, age: { most: 9000 } })
})
