import type { Incoming } from './collector.ts'

/** Something a person should look at. */
export type CollectorAlert =
  /** The connection failed this many times in a row. */
  | { readonly kind: 'failures'; readonly failures: number; readonly error: Error }
  /** No data for this long. */
  | { readonly kind: 'silence'; readonly silentMs: number }
  /** The broker refused the connection or the subscription. */
  | { readonly kind: 'refused'; readonly why: string }
  /** The store could not write and tries again. */
  | { readonly kind: 'store'; readonly code: string; readonly message: string }
  /** A lightning stroke within the alert's distance. */
  | { readonly kind: 'near'; readonly distanceKm: number; readonly bearing: number }

export interface CollectorEventMap {
  connect: { readonly version: string }
  /** After it was handed to the store. */
  message: Incoming
  disconnect: { readonly error: Error }
  alert: CollectorAlert
}

/** The handlers of a collector's events. One that throws does not keep others from being called. */
export class Events {
  private readonly handlers: { [Name in keyof CollectorEventMap]: Set<(value: never) => unknown> } = {
    connect: new Set(),
    message: new Set(),
    disconnect: new Set(),
    alert: new Set(),
  }
  private readonly failed: (error: unknown) => void

  constructor(failed: (error: unknown) => void) {
    this.failed = failed
  }

  add<Name extends keyof CollectorEventMap>(
    event: Name,
    handler: (value: CollectorEventMap[Name]) => unknown,
  ): () => void {
    const handlers = this.handlers[event]
    handlers.add(handler)
    return () => handlers.delete(handler)
  }

  tell<Name extends keyof CollectorEventMap>(event: Name, value: CollectorEventMap[Name]): void {
    for (const handler of this.handlers[event]) {
      try {
        const result = handler(value as never)
        if (result instanceof Promise) result.catch(this.failed)
      } catch (error) {
        this.failed(error)
      }
    }
  }
}
