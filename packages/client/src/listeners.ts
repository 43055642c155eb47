/** Functions that are told of something, each on its own: one that throws stops no other. */
export class Listeners<E> {
  private handlers: readonly ((event: E) => unknown)[] = []
  private readonly failed: (error: unknown) => void

  constructor(failed: (error: unknown) => void) {
    this.failed = failed
  }

  get size(): number {
    return this.handlers.length
  }

  /** @returns a function that takes the handler away */
  add(handler: (event: E) => unknown): () => void {
    const own = (event: E): unknown => handler(event)
    this.handlers = [...this.handlers, own]
    return () => {
      this.handlers = this.handlers.filter((other) => other !== own)
    }
  }

  tell(event: E): void {
    for (const handler of this.handlers) {
      try {
        const result = handler(event)
        if (result instanceof Promise) result.catch(this.failed)
      } catch (error) {
        this.failed(error)
      }
    }
  }
}
