/** Something that a caller waits for, and that settles once. */
export class Operation<T> {
  readonly promise: Promise<T>
  settled = false
  /** Undoes what watches the caller's signal and time. */
  unwatch: (() => void) | undefined = undefined
  private resolve!: (value: T) => void
  private reject!: (error: unknown) => void

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }

  succeed(value: T): void {
    this.end()
    this.resolve(value)
  }

  fail(error: unknown): void {
    this.end()
    this.reject(error)
  }

  protected end(): void {
    this.settled = true
    this.unwatch?.()
  }
}
