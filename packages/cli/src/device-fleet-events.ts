import { type FileHandle, open } from 'node:fs/promises'
import { CommandError } from './faults.ts'

/** Lines are written in pieces of about this many characters. */
const PIECE = 65_536

/** A file that gets each event as a line. */
export class EventsFile {
  private readonly name: string
  private readonly file: FileHandle
  private lines: string[] = []
  private length = 0
  private writing: Promise<void> = Promise.resolve()
  private failure: CommandError | undefined = undefined

  private constructor(name: string, file: FileHandle) {
    this.name = name
    this.file = file
  }

  /** @throws CommandError when the file cannot be made */
  static async open(name: string): Promise<EventsFile> {
    try {
      return new EventsFile(name, await open(name, 'w'))
    } catch (error) {
      throw fault(name, error)
    }
  }

  add(line: string): void {
    this.lines.push(line)
    this.length += line.length
    if (this.length >= PIECE) this.flush()
  }

  /** Settles when all is written.
   *  @throws CommandError when some of it could not be: a full disk */
  async close(): Promise<void> {
    this.flush()
    await this.writing
    await this.file.close()
    if (this.failure !== undefined) throw this.failure
  }

  private flush(): void {
    if (this.lines.length === 0) return
    const text = `${this.lines.join('\n')}\n`
    this.lines = []
    this.length = 0
    this.writing = this.writing.then(async () => {
      if (this.failure !== undefined) return
      await this.file.appendFile(text).catch((error: unknown) => {
        this.failure = fault(this.name, error)
      })
    })
  }
}

function fault(name: string, error: unknown): CommandError {
  return new CommandError(`--events ${name}: ${error instanceof Error ? error.message : String(error)}`)
}
