import { expect, test } from 'vitest'
import { hashOf } from './route-table.ts'
import { Router } from './router.ts'

function visit(router: Router, topic: string): boolean {
  const bytes = Buffer.from(topic)
  const hash = hashOf(bytes, 0, bytes.length)
  router.visit(topic, hash)
  return router.known(bytes, 0, bytes.length, hash) !== undefined
}

test('Router.visit() keeps a topic that comes twice, others in between or not', () => {
  const router = new Router('round-robin', () => 'always')
  const topics = Array.from({ length: 2000 }, (_, i) => `load/p2p/${i}`)
  expect(topics.filter((topic) => visit(router, topic))).toEqual([])
  // Three that share two places are rare, and are kept when they come again.
  const kept = topics.filter((topic) => visit(router, topic))
  expect(kept.length).toBeGreaterThan(1_950)
})
