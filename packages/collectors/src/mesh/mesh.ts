import type { Incoming } from '../collector/collector.ts'
import { type CollectorOptions, Feed, type Reading } from '../collector/feed.ts'
import { type ChannelCipher, cipherFrom } from './keys.ts'
import { fromLegacyJson, toLegacyJson } from './legacy-json.ts'
import { ServiceEnvelope } from './messages.ts'
import { type MeshMessage, readPacket } from './packet.ts'
import { rowsOf } from './rows.ts'
import { Seen } from './seen.ts'

export interface MeshOptions extends CollectorOptions {
  /** What the topics begin with, before `/2/`; default `msh/+`, all regions of one level. */
  readonly root?: string
  /** Pre-shared keys by channel name, as base64 or bytes. */
  readonly keys?: Readonly<Record<string, string | Uint8Array>>
  /** Tried for every channel that `keys` does not name; default the well-known one, `AQ==`. */
  readonly defaultKey?: string | Uint8Array
  /** Publish each message again in the old JSON shape, at `…/2/json/<channel>/!<gateway>`. Default false. */
  readonly emitJson?: boolean
}

const NOTHING: Reading = { records: [] }

/** Collects who hears whom in a Meshtastic mesh. */
export class MeshCollector extends Feed {
  /** @throws RangeError, TypeError for a key that is none */
  constructor(options: MeshOptions) {
    const { root = 'msh/+', keys = {}, defaultKey = 'AQ==', emitJson = false } = options
    const byChannel = new Map(Object.entries(keys).map(([channel, psk]) => [channel, cipherFrom(psk)]))
    const otherwise = cipherFrom(defaultKey)
    const cipherOf = (channel: string): ChannelCipher | undefined =>
      byChannel.has(channel) ? byChannel.get(channel) : otherwise
    const seen = new Seen()
    super(
      {
        name: 'mesh',
        filters: [`${root}/2/e/#`, `${root}/2/json/#`, `${root}/2/map/#`],
        read: (message) => {
          const found = meaningOf(message, cipherOf)
          if (typeof found === 'string') return { records: [], skipped: found }
          // An id of 0 says nothing about which packet it is.
          if (found.id !== 0 && seen.add(found.from, found.id)) return { records: [], skipped: 'duplicate' }
          if (emitJson) this.emit(message.topic, found)
          const records = rowsOf(found, Date.now())
          return records.length === 0 ? NOTHING : { records }
        },
      },
      options,
    )
  }

  private emit(topic: string, message: MeshMessage): void {
    const json = toLegacyJson(message, Date.now())
    const place = placeOf(topic)
    if (json === undefined || place?.form !== 'e') return
    this.publish(`${place.root}/2/json/${place.rest}`, json)
  }
}

/** What a message says, or why it says nothing. */
function meaningOf(
  { topic, payload }: Incoming,
  cipherOf: (channel: string) => ChannelCipher | undefined,
): MeshMessage | string {
  const place = placeOf(topic)
  if (place === undefined) return 'otherTopic'
  if (place.form === 'json') return fromLegacyJson(payload)
  const envelope = ServiceEnvelope.decode(payload)
  // Packets for one receiver's public key go over a channel that is named so.
  if (envelope.channelId === 'PKI') return 'publicKey'
  return readPacket(envelope, cipherOf(envelope.channelId ?? place.rest.split('/')[0] ?? ''))
}

function placeOf(topic: string): { root: string; form: string; rest: string } | undefined {
  const match = /^(.*)\/2\/(e|json|map)\/(.*)$/.exec(topic)
  if (match === null) return undefined
  const [, root = '', form = '', rest = ''] = match
  return { root, form, rest }
}
