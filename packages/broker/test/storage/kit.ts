import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encode, type QoS } from '@pipit/protocol'
import { afterEach } from 'vitest'
import { BatchWriter } from '../../src/storage/batch.ts'
import type {
  MessageRecord,
  RecordSink,
  ReferenceRecord,
  SessionRecord,
  StoredState,
} from '../../src/storage/records.ts'

const folders: string[] = []

/** A folder that goes with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pipit-storage-'))
  folders.push(folder)
  return folder
}

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** One batch of what `write` records. */
export function batchOf(...writes: readonly ((batch: RecordSink) => void)[]): Buffer {
  const batch = new BatchWriter()
  for (const write of writes) write(batch)
  return batch.take()
}

export const FOREVER = Number.POSITIVE_INFINITY

export function session(id: number, more: Partial<SessionRecord> = {}): SessionRecord {
  return {
    id,
    clientId: `client-${id}`,
    expiryInterval: 3600,
    expiresAt: FOREVER,
    username: undefined,
    ...more,
  }
}

export function message(id: number, text = `payload ${id}`, topic = 'a/b', qos: QoS = 1): MessageRecord {
  const payload = Buffer.from(text)
  const frame = encode(
    { type: 'PUBLISH', topic, payload, qos, retain: false, dup: false, packetId: qos === 0 ? 0 : 1 },
    4,
  )
  return { id, frame, version: 4, qos, retain: false, expiresAt: FOREVER }
}

export function reference(
  id: number,
  session: number,
  message: number,
  more: Partial<ReferenceRecord> = {},
): ReferenceRecord {
  return {
    id,
    session,
    message,
    qos: 1,
    retain: false,
    state: 0,
    packetId: 0,
    identifiers: [],
    shared: false,
    ...more,
  }
}

/** A state in a form that can be compared, whatever made it. What points nowhere is left out, as a reader leaves it. */
export function comparable(state: StoredState): object {
  const sessions = new Set(state.sessions.map(({ id }) => id))
  const whole = (session: number, message: number): boolean =>
    sessions.has(session) && (message === 0 || state.messages.has(message))
  const by = <T>(list: readonly T[], key: (each: T) => string | number): T[] =>
    [...list].sort((a, b) => (key(a) < key(b) ? -1 : 1))
  return {
    messages: by(
      [...state.messages.values()].map(({ made: _, frame, ...rest }) => ({
        ...rest,
        frame: Buffer.from(frame).toString('hex'),
      })),
      ({ id }) => id,
    ),
    references: by(
      state.references.filter((each) => whole(each.session, each.message)),
      ({ id }) => id,
    ),
    sessions: by(state.sessions, ({ id }) => id),
    subscriptions: by(
      state.subscriptions.filter((each) => whole(each.session, 0)),
      (each) => `${each.session} ${each.topicFilter}`,
    ),
    inbound: by(
      state.inbound.filter((each) => whole(each.session, each.message)),
      (each) => `${each.session} ${each.packetId}`,
    ),
    retained: by(
      state.retained.filter((each) => state.messages.has(each.message)),
      ({ topic }) => topic,
    ),
    wills: by(
      state.wills.filter((each) => whole(each.session, each.message)),
      (each) => each.session,
    ),
  }
}
