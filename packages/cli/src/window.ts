/** A number of operations under way at a time; the first that fails fails the next call. */
export class Window {
  private readonly size: number
  private underWay = 0
  private failure: { readonly error: unknown } | undefined = undefined
  private wake: (() => void) | undefined = undefined

  constructor(size: number) {
    this.size = size
  }

  /** Settles when there is room for another.
   *  @throws what an operation rejected with */
  async add(operation: Promise<unknown>): Promise<void> {
    this.underWay++
    operation
      .catch((error: unknown) => (this.failure ??= { error }))
      .finally(() => {
        this.underWay--
        this.wake?.()
      })
    await this.until(this.size - 1)
  }

  /** Settles when nothing is under way.
   *  @throws what an operation rejected with */
  empty(): Promise<void> {
    return this.until(0)
  }

  private async until(most: number): Promise<void> {
    while (this.underWay > most && this.failure === undefined) {
      await new Promise<void>((resolve) => (this.wake = resolve))
    }
    if (this.failure !== undefined) throw this.failure.error
  }
}
