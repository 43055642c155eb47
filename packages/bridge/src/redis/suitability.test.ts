import { describe, expect, test } from 'vitest'
import { judge } from './suitability.ts'

const SAFE = { version: '7.0.15', appendOnly: true, appendFsync: 'always', memoryPolicy: 'noeviction' }

describe('judge()', () => {
  test('a Redis that keeps everything is used without a word', () => {
    expect(judge(SAFE, false)).toEqual({ refusal: undefined, warning: undefined, waits: false })
  })

  test.each([
    [{ memoryPolicy: 'volatile-lru' }, 'maxmemory-policy is volatile-lru'],
    [{ version: '6.2.7' }, 'it is version 6.2.7'],
  ])('%j is refused', (facts, words) => {
    expect(judge({ ...SAFE, ...facts }, false).refusal).toContain(words)
  })

  test.each([
    [{ appendOnly: false }, 'appendonly is no'],
    [{ appendFsync: 'everysec' }, 'loses the last second'],
    [{ appendFsync: 'no' }, 'whatever the system has not written yet'],
    [{ appendFsync: undefined }, 'appendfsync could not be checked'],
    [
      { appendOnly: undefined, appendFsync: undefined, memoryPolicy: undefined },
      'appendonly, appendfsync, maxmemory-policy could not be checked',
    ],
  ])('%j is warned of', (facts, words) => {
    const { refusal, warning } = judge({ ...SAFE, ...facts }, false)
    expect([refusal, warning]).toEqual([undefined, expect.stringContaining(words)])
  })

  test('everysec is waited for from 7.2 on, though not in a Cluster', () => {
    const facts = { ...SAFE, version: '7.2.4', appendFsync: 'everysec' }
    expect(judge(facts, false)).toEqual({ refusal: undefined, warning: undefined, waits: true })
    expect(judge(facts, true)).toMatchObject({ warning: expect.stringContaining('everysec'), waits: false })
  })
})
