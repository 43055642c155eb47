import { type FileHandle, open, stat } from 'node:fs/promises'

/** Bytes that may wait for the disk. What comes beyond is dropped and counted: a disk never holds the broker up. */
const MOST_BYTES = 1024 * 1024

/** How long a file that could not be written is left alone, milliseconds. */
const PAUSE_MS = 1_000

/** A file that lines are appended to, behind the back of whoever writes them. */
export class AuditFile {
  /** Lines dropped since a line said so. */
  dropped = 0
  private readonly path: string
  private readonly failed: (why: string) => void
  private readonly lost: (count: number) => string
  private handle: FileHandle | undefined = undefined
  private waiting: string[] = []
  private waitingBytes = 0
  private writing: Promise<void> | undefined = undefined
  private isFailing = false
  private reopens = false
  /** Nobody knows whether the file ends with a whole line: it was opened, or could not be written. */
  private isUnsure = true
  /** Who waits for that. */
  private readonly reopened: (() => void)[] = []

  /** @param failed told why the file cannot be written, once until it can be again
   *  @param lost makes the line that says how many were dropped */
  private constructor(path: string, failed: (why: string) => void, lost: (count: number) => string) {
    this.path = path
    this.failed = failed
    this.lost = lost
  }

  /** @throws Error naming the file, when it cannot be opened */
  static async open(
    path: string,
    failed: (why: string) => void,
    lost: (count: number) => string,
  ): Promise<AuditFile> {
    const file = new AuditFile(path, failed, lost)
    file.handle = await openForAppending(path)
    return file
  }

  /** Takes a line, without its end. */
  write(line: string): void {
    const bytes = Buffer.byteLength(line) + 1
    if (this.waitingBytes + bytes > MOST_BYTES) {
      this.dropped++
      return
    }
    this.waiting.push(line)
    this.waitingBytes += bytes
    this.writing ??= this.drain().finally(() => {
      this.writing = undefined
    })
  }

  /** Opens the file anew, by its name, once what is being written is in the old one: for who moves it away. */
  async reopen(): Promise<void> {
    this.reopens = true
    // Lines may never cease to come: the next of them are written to the new file.
    await Promise.race([this.writing, new Promise<void>((resolve) => this.reopened.push(resolve))])
    if (this.reopens) await this.openAnew().catch((error: unknown) => this.fail(error))
  }

  async close(): Promise<void> {
    await this.settled()
    // How many were dropped is said even when nothing comes after them.
    if (this.dropped > 0 && !this.isFailing) await this.append([]).catch(() => undefined)
    await this.handle?.close().catch(() => undefined)
    this.handle = undefined
  }

  private async settled(): Promise<void> {
    await this.writing
  }

  private async drain(): Promise<void> {
    // A turn's lines go together.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.waiting.length > 0) {
      const lines = this.waiting
      this.waiting = []
      this.waitingBytes = 0
      try {
        await this.append(lines)
        this.isFailing = false
      } catch (error) {
        this.dropped += lines.length
        this.fail(error)
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS).unref())
      }
    }
  }

  private async append(lines: readonly string[]): Promise<void> {
    if (this.reopens || this.handle === undefined) await this.openAnew()
    const { dropped } = this
    const all = dropped > 0 ? [this.lost(dropped), ...lines] : lines
    // Half a line of one that was killed, or whose disk was full, stays one line.
    const start = this.isUnsure && (await endsWithin(this.path)) ? '\n' : ''
    this.isUnsure = true
    await this.handle?.appendFile(`${start}${all.join('\n')}\n`)
    this.isUnsure = false
    this.dropped -= dropped
  }

  private async openAnew(): Promise<void> {
    this.reopens = false
    this.isUnsure = true
    const before = this.handle
    try {
      this.handle = await openForAppending(this.path)
    } finally {
      for (const resolve of this.reopened.splice(0)) resolve()
    }
    await before?.close().catch(() => undefined)
  }

  private fail(error: unknown): void {
    if (this.isFailing) return
    this.isFailing = true
    this.failed(error instanceof Error ? error.message : String(error))
  }
}

/** Says whether a file ends within a line; one that cannot be read does not. */
async function endsWithin(path: string): Promise<boolean> {
  let handle: FileHandle | undefined
  try {
    const { size } = await stat(path)
    if (size === 0) return false
    handle = await open(path, 'r')
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1)
    return bytesRead === 1 && buffer[0] !== 0x0a
  } catch {
    return false
  } finally {
    await handle?.close().catch(() => undefined)
  }
}

async function openForAppending(path: string): Promise<FileHandle> {
  try {
    // Who did what is not for everybody on the machine.
    return await open(path, 'a', 0o640)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const why =
      code === 'ENOENT' ? 'its folder is not there' : code === 'EACCES' ? 'not for this user' : message
    throw new Error(`audit.file ${path}: ${why}`, { cause })
  }
}
