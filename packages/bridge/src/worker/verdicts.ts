import { MqttError, type PublishResult, reasonCodeName } from '@pipit/client'
import type { Command, MessageProperties, Outcome } from '../engine/commands.ts'
import { BridgeError } from '../errors.ts'
import { backoffMs } from './backoff.ts'

/** Refusals that another try may not meet: unspecified, implementation specific, quota exceeded. */
const PASSING: ReadonlySet<number> = new Set([0x80, 0x83, 0x97])
/** Ends of a publish that say nothing against the message. */
const RETRIED: ReadonlySet<string> = new Set([
  'CONNECTION_LOST',
  'SESSION_ENDED',
  'QUEUE_FULL',
  'MESSAGE_DROPPED',
  'STORE_FAILED',
  'TIMEOUT',
])
const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 60_000

/** What a publish that ended well makes of its command. */
export function delivered(command: Command, { reasonCode, properties }: PublishResult): Outcome {
  const reason = properties.reasonString ?? reasonCodeName(reasonCode)
  return { id: command.id, state: 'acknowledged', reasonCode, reason }
}

/** What a publish that failed makes of its command.
 *  @param maximumAttempts after which a command is set aside */
export function failed(command: Command, error: unknown, maximumAttempts: number, now: number): Outcome {
  const { id } = command
  const reason = error instanceof Error ? error.message : String(error)
  const { code, reasonCode } = error instanceof MqttError ? error : { code: '', reasonCode: undefined }
  if (code === 'MESSAGE_EXPIRED') return { id, state: 'expired', reason }
  const mayPass =
    error instanceof BridgeError ||
    RETRIED.has(code) ||
    (code === 'REQUEST_REFUSED' && reasonCode !== undefined && PASSING.has(reasonCode))
  if (!mayPass) return { id, state: 'failed', reasonCode, reason }
  return again(command, reason, maximumAttempts, now, reasonCode)
}

/** Back into the queue, or set aside when it has been there too often. */
export function again(
  { id, attempts }: Command,
  reason: string,
  maximumAttempts: number,
  now: number,
  reasonCode?: number,
): Outcome {
  if (attempts >= maximumAttempts) {
    return { id, state: 'failed', reasonCode, reason: `set aside after ${attempts} attempts: ${reason}` }
  }
  const notBefore = now + backoffMs(attempts, FIRST_RETRY_MS, LONGEST_RETRY_MS)
  return { id, state: 'queued', notBefore, reasonCode, reason }
}

/** The User Property that carries a message's unique id. */
export const ID_PROPERTY = 'pipit-id'

/** A command's properties as the client takes them, with the command's id among them. */
export function publishProperties(command: Command, now: number) {
  const { correlationData, userProperties = [], ...rest }: MessageProperties = command.properties ?? {}
  return {
    ...rest,
    ...(correlationData === undefined ? {} : { correlationData: Buffer.from(correlationData, 'base64') }),
    ...(command.expiresAt === undefined
      ? {}
      : { messageExpiryInterval: Math.max(1, Math.ceil((command.expiresAt - now) / 1000)) }),
    userProperties: [
      ...userProperties.filter(([name]) => name !== ID_PROPERTY),
      [ID_PROPERTY, command.id] as const,
    ],
  }
}
