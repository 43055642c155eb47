import type { PublishProperties } from '@pipit/protocol'
import { UsageError } from './command-line.ts'
import { type Moment, offset, strftime } from './strftime.ts'

/** A message as the output formats see it. */
export interface PrintedMessage {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: number
  readonly retain: boolean
  /** Packet Identifier; without meaning at QoS 0. */
  readonly packetId: number
  readonly properties?: PublishProperties
}

export interface FormatOptions {
  /** Prints JSON over several lines. */
  readonly pretty?: boolean
  /** Told of a payload that `%J` cannot print. */
  readonly onFault?: (line: string) => void
}

/** Gives the bytes to print for one message that came at a moment. */
export type Format = (message: PrintedMessage, moment: Moment) => Uint8Array

type Part = (message: PrintedMessage, moment: Moment) => string | Uint8Array

/** Prints only the payload; nothing at all for an empty one. */
export const payloadOnly: Format = (message) => message.payload

/** Prints `topic payload`, and `topic (null)` for an empty one. */
export const verbose: Format = (message) =>
  bytes([`${message.topic} `, message.payload.length === 0 ? '(null)' : message.payload])

/** Reads a format string of mosquitto_sub(1), section Output Format.
 *  @throws UsageError naming the sequence that has no meaning */
export function compileFormat(text: string, options: FormatOptions = {}): Format {
  const parts: (string | Part)[] = []
  let plain = ''
  for (let i = 0; i < text.length; ) {
    const match = SEQUENCE.exec(text.slice(i))
    if (match === null) {
      plain += text[i++]
      continue
    }
    i += match[0].length
    if (plain !== '') parts.push(plain)
    plain = ''
    parts.push(readSequence(match, options))
  }
  if (plain !== '') parts.push(plain)
  return (message, moment) =>
    bytes(parts.map((part) => (typeof part === 'string' ? part : part(message, moment))))
}

/** A sequence begins with %, @ or \; flags, width and maximum width may follow a %. */
const SEQUENCE = /^(?:%([-0]*)(\d*)(?:\.(\d+))?(.)?|@(.)?|\\(.)?)/su

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\',
  '0': '\0',
  a: '\x07',
  e: '\x1b',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

function readSequence(match: RegExpExecArray, options: FormatOptions): string | Part {
  const [whole, flags = '', width = '', most, letter, time, escaped] = match
  const sign = whole[0]
  if ((letter ?? time ?? escaped) === undefined)
    throw new UsageError(`-F ends in the middle of ${JSON.stringify(whole)}`)
  if (sign === '@') return timePart(time ?? '')
  if (sign === '\\') {
    const character = ESCAPES[escaped ?? '']
    if (character !== undefined) return character
    throw new UsageError(
      `-F has no escape ${whole}; it takes ${Object.keys(ESCAPES)
        .map((c) => `\\${c}`)
        .join(' ')}`,
    )
  }
  if (letter === '%') return '%'
  if (letter === 'j' || letter === 'J') return json(letter === 'J', options)
  const field = FIELDS[letter ?? '']
  if (field === undefined) {
    const known = [...Object.keys(FIELDS), 'j', 'J', '%'].map((c) => `%${c}`).join(' ')
    throw new UsageError(`-F has no sequence ${whole}; it takes ${known}`)
  }
  return fitted(field, flags, Number(width), most === undefined ? Infinity : Number(most))
}

function timePart(character: string): string | Part {
  if (character === '@') return '@'
  if (character === 'N') return (_, moment) => nanoseconds(moment)
  return (_, moment) => strftime(character, moment)
}

interface Field {
  readonly value: Part
  /** `z`: takes a width, and zeros to fill it; `w`: takes a width and a maximum; neither: takes none. */
  readonly fit?: 'z' | 'w'
}

const FIELDS: Readonly<Record<string, Field>> = {
  A: { value: (m) => m.properties?.topicAlias?.toString() ?? '', fit: 'z' },
  C: { value: (m) => m.properties?.contentType ?? '', fit: 'w' },
  D: { value: (m) => m.properties?.correlationData ?? '' },
  E: { value: (m) => m.properties?.messageExpiryInterval?.toString() ?? '', fit: 'z' },
  F: { value: (m) => m.properties?.payloadFormatIndicator?.toString() ?? '', fit: 'z' },
  I: { value: (_, moment) => iso(moment), fit: 'w' },
  l: { value: (m) => String(m.payload.length), fit: 'z' },
  m: { value: (m) => String(m.qos === 0 ? 0 : m.packetId), fit: 'z' },
  P: { value: (m) => (m.properties?.userProperties ?? []).map((pair) => pair.join(':')).join(' ') },
  p: { value: (m) => m.payload, fit: 'z' },
  q: { value: (m) => String(m.qos) },
  R: { value: (m) => m.properties?.responseTopic ?? '', fit: 'w' },
  r: { value: (m) => (m.retain ? '1' : '0') },
  S: { value: (m) => (m.properties?.subscriptionIdentifiers ?? []).join(' '), fit: 'z' },
  t: { value: (m) => m.topic, fit: 'w' },
  U: { value: (_, moment) => `${Math.floor(moment.date.getTime() / 1000)}.${nanoseconds(moment)}` },
  X: { value: (m) => Buffer.from(m.payload).toString('hex').toUpperCase(), fit: 'z' },
  x: { value: (m) => Buffer.from(m.payload).toString('hex'), fit: 'z' },
}

function fitted({ value, fit }: Field, flags: string, width: number, most: number): Part {
  if (fit === undefined) return value
  const left = flags.includes('-')
  const filler = fit === 'z' && flags.includes('0') && !left ? '0' : ' '
  return (message, moment) => {
    const full = value(message, moment)
    const text = fit === 'w' && typeof full === 'string' ? [...full].slice(0, most).join('') : full
    const missing = width - (typeof text === 'string' ? [...text].length : text.length)
    if (missing <= 0) return text
    return bytes(left ? [text, ' '.repeat(missing)] : [filler.repeat(missing), text])
  }
}

function json(unquoted: boolean, { pretty, onFault }: FormatOptions): Part {
  return (message, moment) => {
    const fields = description(message, moment)
    const text = new TextDecoder().decode(message.payload)
    const payload = text === '' ? null : text
    if (!unquoted || payload === null)
      return JSON.stringify({ ...fields, payload }, null, pretty ? '\t' : undefined)
    try {
      const value: unknown = JSON.parse(payload)
      // As it came, so that long numbers keep their digits, unless that would break the line.
      if (!pretty && !payload.includes('\n'))
        return `${JSON.stringify(fields).slice(0, -1)},"payload":${payload}}`
      return JSON.stringify({ ...fields, payload: value }, null, pretty ? '\t' : undefined)
    } catch {
      onFault?.(`Error: Message payload is not valid JSON on topic ${message.topic}.`)
      return ''
    }
  }
}

function description(message: PrintedMessage, moment: Moment): Record<string, unknown> {
  const { topic, qos, retain, payload, packetId, properties } = message
  const fields: Record<string, unknown> = {
    tst: iso(moment, `.${nanoseconds(moment).slice(0, 6)}`),
    topic,
    qos,
    retain: retain ? 1 : 0,
    payloadlen: payload.length,
  }
  if (qos > 0) fields['mid'] = packetId
  const described = describeProperties(properties ?? {})
  if (Object.keys(described).length > 0) fields['properties'] = described
  return fields
}

function describeProperties(properties: PublishProperties): Record<string, unknown> {
  const described: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(properties) as [string, unknown][]) {
    if (name === 'userProperties') described['user-properties'] = userProperties(properties)
    else if (name === 'subscriptionIdentifiers') {
      const ids = value as readonly number[]
      described['subscription-identifier'] = ids.length === 1 ? ids[0] : ids
    } else {
      const key = name.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)
      described[key] = value instanceof Uint8Array ? new TextDecoder().decode(value) : value
    }
  }
  return described
}

/** A name that stands once has its value, one that stands more often the list of them. */
function userProperties({ userProperties = [] }: PublishProperties): object {
  const byName = new Map<string, string[]>()
  for (const [name, value] of userProperties) byName.set(name, [...(byName.get(name) ?? []), value])
  return Object.fromEntries(
    [...byName].map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  )
}

function iso(moment: Moment, fraction = ''): string {
  return `${strftime('F', moment)}T${strftime('T', moment)}${fraction}${offset(moment.date)}`
}

function nanoseconds(moment: Moment): string {
  return String(moment.nanoseconds).padStart(9, '0')
}

/** This moment, to the microsecond. */
export function momentNow(): Moment {
  const ms = performance.timeOrigin + performance.now()
  return { date: new Date(Math.floor(ms)), nanoseconds: Math.floor((ms % 1000) * 1000) * 1000 }
}

const encoder = new TextEncoder()

function bytes(parts: readonly (string | Uint8Array)[]): Uint8Array {
  if (parts.every((part) => typeof part === 'string')) return encoder.encode(parts.join(''))
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? encoder.encode(part) : part)))
}
