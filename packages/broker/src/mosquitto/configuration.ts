import { ConfigurationError, unknownWord } from '../config/check.ts'
import { type Directive, directives, type MosquittoFile, type ReadFolder } from './lines.ts'
import { MOSQUITTO_OPTIONS, type MosquittoOption, mosquittoOption } from './option-table.ts'
import { checkedValue, type Value } from './values.ts'

/** What one line says, and where it stands. */
export interface Said {
  readonly value: Value
  readonly where: string
}

/** What is said in one place, by the option's own name; of an option that may stand more than once, the last. */
export class Sayings {
  private readonly said = new Map<string, Said[]>()

  add(name: string, said: Said): void {
    this.said.set(name, [...(this.said.get(name) ?? []), said])
  }

  get size(): number {
    return this.said.size
  }

  has(name: string): boolean {
    return this.said.has(name)
  }

  all(name: string): readonly Said[] {
    return this.said.get(name) ?? []
  }

  where(name: string): string {
    return this.said.get(name)?.at(-1)?.where ?? ''
  }

  text(name: string): string | undefined {
    return this.last(name, 'string')
  }

  number(name: string): number | undefined {
    return this.last(name, 'number')
  }

  flag(name: string): boolean | undefined {
    return this.last(name, 'boolean')
  }

  private last(name: string, type: 'string'): string | undefined
  private last(name: string, type: 'number'): number | undefined
  private last(name: string, type: 'boolean'): boolean | undefined
  private last(name: string, type: string): Value | undefined {
    const value = this.said.get(name)?.at(-1)?.value
    return typeof value === type ? value : undefined
  }
}

/** One `listener`, or what stands above the first. */
export interface MosquittoListener {
  /** `1883`, `1883 127.0.0.1`, `0 /run/mqtt.sock`; undefined for the default listener. */
  readonly said: Said | undefined
  readonly own: Sayings
  /** With `per_listener_settings`: its authentication and access. */
  readonly security: Sayings
}

/** One `connection`. */
export interface MosquittoBridge {
  readonly name: string
  readonly where: string
  readonly own: Sayings
}

/** What the files say, each thing where it belongs. */
export interface MosquittoConfiguration {
  readonly broker: Sayings
  readonly security: Sayings
  readonly perListener: boolean
  /** What stands above the first `listener`: a listener of its own once something is said about it. */
  readonly defaultListener: MosquittoListener
  readonly listeners: readonly MosquittoListener[]
  readonly bridges: readonly MosquittoBridge[]
  /** Lines that start-up stops for, unless it is told to go on. */
  readonly unsupported: readonly string[]
}

/** Reads mosquitto.conf and the files that it includes.
 *  @throws ConfigurationError with a line for each fault: where, what, and what would be right */
export function readMosquitto(main: MosquittoFile, readFolder: ReadFolder): MosquittoConfiguration {
  const reader = new Reader()
  for (const directive of directives(main, readFolder)) reader.take(directive)
  return reader.end()
}

/** What a line belongs to. */
interface Place {
  listener: MosquittoListener
  bridge: MosquittoBridge | undefined
}

class Reader {
  private readonly broker = new Sayings()
  private readonly security = new Sayings()
  private readonly defaultListener = listenerOf(undefined)
  private readonly listeners: MosquittoListener[] = []
  private readonly bridges: MosquittoBridge[] = []
  private readonly unsupported: string[] = []
  private readonly faults: string[] = []
  private perListener = false
  /** Each file begins outside of every listener and connection, and goes on where it was after an `include_dir`. */
  private readonly places = new Map<number, Place>()
  private place: Place = { listener: this.defaultListener, bridge: undefined }

  take(directive: Directive): void {
    this.place = this.placeIn(directive.file)
    const option = mosquittoOption(directive.name)
    if (option === undefined) return this.complain(directive, unknownOption(directive.name))
    const checked = checkedValue(option, directive.rest)
    if ('fault' in checked) return this.complain(directive, checked.fault)
    const said = { value: checked.value, where: directive.where }
    if (option.fate === 'unsupported') {
      this.unsupported.push(`${said.where}: ${option.name} is not supported. ${option.text}`)
    } else if (option.fate === 'obeyed') this.put(option, said)
  }

  end(): MosquittoConfiguration {
    if (this.faults.length > 0) throw new ConfigurationError(this.faults)
    const { broker, security, perListener, defaultListener, listeners, bridges, unsupported } = this
    return { broker, security, perListener, defaultListener, listeners, bridges, unsupported }
  }

  private put(option: MosquittoOption, said: Said): void {
    const name = option.alias ?? option.name
    if (name === 'listener') return this.beginListener(said)
    if (name === 'connection') return this.beginBridge(said)
    if (name === 'per_listener_settings') return this.setPerListener(said)
    const sayings = this.sayingsFor(option)
    if (sayings === undefined) {
      return this.complain(said, `${option.name} belongs to a bridge; "connection NAME" comes first`)
    }
    if (sayings.has(name) && (option.value.kind === 'text' || name === 'address')) {
      return this.complain(said, `${option.name} is said twice; first in ${sayings.where(name)}`)
    }
    sayings.add(name, said)
  }

  private placeIn(file: number): Place {
    const place = this.places.get(file) ?? { listener: this.defaultListener, bridge: undefined }
    this.places.set(file, place)
    return place
  }

  private sayingsFor({ scope }: MosquittoOption): Sayings | undefined {
    const { listener, bridge } = this.place
    if (scope === 'bridge') return bridge?.own
    if (scope === 'listener') return listener.own
    if (scope === 'security') return this.perListener ? listener.security : this.security
    return this.broker
  }

  private beginListener(said: Said): void {
    const listener = listenerOf(said)
    this.listeners.push(listener)
    this.place.listener = listener
  }

  private beginBridge({ value, where }: Said): void {
    const [name = ''] = String(value).split(/ +/)
    const same = this.bridges.find((bridge) => bridge.name === name)
    if (same !== undefined) {
      return this.complain({ where }, `connection ${name} is there already, in ${same.where}`)
    }
    const bridge = { name, where, own: new Sayings() }
    this.bridges.push(bridge)
    this.place.bridge = bridge
  }

  private setPerListener({ value, where }: Said): void {
    if (value === true && this.security.size > 0) {
      return this.complain({ where }, 'per_listener_settings comes before what it is about: move it up')
    }
    this.perListener = value === true
  }

  private complain({ where }: { readonly where: string }, fault: string): void {
    this.faults.push(`${where}: ${fault}`)
  }
}

function listenerOf(said: Said | undefined): MosquittoListener {
  return { said, own: new Sayings(), security: new Sayings() }
}

function unknownOption(name: string): string {
  if (name.startsWith('#')) return "a comment's # has to be the first character of its line"
  const names = MOSQUITTO_OPTIONS.map((row) => row.name)
  if (name.includes('\t'))
    return `"${name.replaceAll('\t', '\\t')}": between a name and its value stands a space`
  return unknownWord(name, names)
}
