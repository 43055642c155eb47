import type { WriteStream } from 'node:tty'
import { type LightState, onScreen, type Rgbw } from '@pipit/device'

/** Where a light is shown. */
export interface LightView {
  show(colour: Rgbw, state: LightState): void
  /** Prints a line for the person who watches. */
  note(line: string): void
  /** What stands beside the light, such as a sensor's reading. */
  beside(text: string): void
  /** Leaves the terminal as it was. */
  end(): void
}

/** Says whether someone watches this stream in colours. */
export function hasColours(out: NodeJS.WriteStream): boolean {
  return out.isTTY === true && process.env['TERM'] !== 'dumb' && (process.env['NO_COLOR'] ?? '') === ''
}

/** A coloured block where there is a terminal with colours, else a line for each new state. */
export function lightView(out: NodeJS.WriteStream, title: string): LightView {
  return hasColours(out) ? new BlockView(out as WriteStream, title) : new PlainView(out)
}

/** The state in words: `on, r 255, g 0, b 0, w 0, brightness 255`. */
export function describeState(state: LightState): string {
  if (!state.on) return 'off'
  const { r, g, b, w, brightness, effect } = state
  return `on, r ${r}, g ${g}, b ${b}, w ${w}, brightness ${brightness}${effect === 'none' ? '' : `, ${effect}`}`
}

class PlainView implements LightView {
  private readonly out: NodeJS.WriteStream
  private last = ''

  constructor(out: NodeJS.WriteStream) {
    this.out = out
  }

  show(_: Rgbw, state: LightState): void {
    const line = `light: ${describeState(state)}\n`
    if (line !== this.last) this.out.write(line)
    this.last = line
  }

  note(line: string): void {
    this.out.write(`${line}\n`)
  }

  // A reading now and then is not worth a line each.
  beside(): void {}

  end(): void {}
}

const HIDE_CURSOR = '\x1b[?25l'
const SHOW_CURSOR = '\x1b[?25h'
const RESET = '\x1b[0m'
const ROWS = 3

/** Three rows at the bottom, drawn over themselves. */
class BlockView implements LightView {
  private readonly out: WriteStream
  private readonly title: string
  private block = ''
  private words = ''
  private extra = ''
  private drawn = ''

  constructor(out: WriteStream, title: string) {
    this.out = out
    this.title = title
    out.write(HIDE_CURSOR)
    out.on('resize', () => this.draw())
  }

  show(colour: Rgbw, state: LightState): void {
    const { r, g, b } = onScreen(colour)
    const dark = r + g + b === 0
    this.block = dark ? `\x1b[90m░░░░░░░░░░${RESET}` : `\x1b[48;2;${r};${g};${b}m          ${RESET}`
    this.words = describeState(state)
    this.draw()
  }

  note(line: string): void {
    const drawn = this.drawn
    this.out.write(`${this.erased()}${line}\n`)
    if (drawn !== '') this.draw()
  }

  beside(text: string): void {
    this.extra = text
    if (this.drawn !== '') this.draw()
  }

  end(): void {
    this.out.removeAllListeners('resize')
    this.out.write(SHOW_CURSOR)
  }

  private draw(): void {
    const room = Math.max(0, this.out.columns - 15)
    const rows = [this.title, this.words, this.extra].map(
      (text) => `  ${this.block}  ${text.slice(0, room)}\n`,
    )
    const picture = rows.join('')
    if (picture === this.drawn) return
    const erased = this.erased()
    this.drawn = picture
    this.out.write(`${erased}${picture}`)
  }

  /** What takes the picture away and leaves the cursor where it began. */
  private erased(): string {
    const code = this.drawn === '' ? '' : `\x1b[${ROWS}A\r\x1b[J`
    this.drawn = ''
    return code
  }
}
