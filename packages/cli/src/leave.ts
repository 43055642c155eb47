/** Ends the process once what was printed has been handed over: a pipe whose reader is slow still holds some
 *  of it in here, and `process.exit` alone would throw that away. */
export async function leave(exitCode: number): Promise<never> {
  await Promise.all([flushed(process.stdout), flushed(process.stderr)])
  process.exit(exitCode)
}

function flushed(out: NodeJS.WriteStream): Promise<void> {
  // Called after everything written before it, also when that failed because the reader has gone.
  return new Promise((resolve) => out.write('', () => resolve()))
}
