/** Settles at the first SIGINT or SIGTERM. A second signal a second later or more ends the process at once,
 *  for someone whose first did not help; one that comes sooner is the terminal's and npm's copy of the first. */
export function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    let first: number | undefined
    const onSignal = (): void => {
      if (first === undefined) {
        first = performance.now()
        resolve()
      } else if (performance.now() - first > 1_000) process.exit(130)
    }
    process.on('SIGINT', onSignal)
    process.on('SIGTERM', onSignal)
  })
}
