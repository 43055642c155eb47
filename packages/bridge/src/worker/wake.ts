/** Waits that end early when somebody calls. A call while nobody waits ends the next wait at once. */
export class Wake {
  private isCalled = false
  private resolve: (() => void) | undefined = undefined

  call(): void {
    this.isCalled = true
    this.resolve?.()
  }

  /** Settles with the next call, or after this long. */
  async wait(ms: number): Promise<void> {
    if (!this.isCalled) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms)
        this.resolve = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.resolve = undefined
    }
    this.isCalled = false
  }
}
