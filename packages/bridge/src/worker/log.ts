/** What a worker has to say to its operator, one line at a time. */
export type Log = (line: string) => void
