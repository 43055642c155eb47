/** Calls `run` when the signal aborts, or at once when it has. @returns a function that ends that */
export function onAbort(signal: AbortSignal | undefined, run: () => void): () => void {
  if (signal?.aborted) run()
  signal?.addEventListener('abort', run)
  return () => signal?.removeEventListener('abort', run)
}
