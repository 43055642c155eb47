/** What the command line says of an error, and what it ends with. */
export interface Explained {
  readonly line: string
  readonly exitCode: number
}

/** An error whose message is meant for the person who typed the command, as it stands. */
export class CommandError extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode = 1) {
    super(message)
    this.exitCode = exitCode
  }
}

/** Where a command wanted to connect to, for its errors. */
export interface Target {
  readonly host: string
  readonly port: number
}

interface Fault {
  readonly code?: unknown
  readonly message?: unknown
  readonly reasonCode?: unknown
  readonly cause?: unknown
  readonly errors?: unknown
}

/** An error in one line, without its stack. */
export function explain(error: unknown): Explained {
  if (error instanceof CommandError) return { line: error.message, exitCode: error.exitCode }
  const message = error instanceof Error ? error.message : String(error)
  return { line: message.replaceAll(/\s*\n\s*/g, ' ') || 'failed without saying why', exitCode: 1 }
}

/** What kept a command from connecting, as an error that says what to do.
 *  @param refusalCode gives the exit code for the reason code of a refusal */
export function connectFault(
  error: unknown,
  { host, port }: Target,
  refusalCode: (reasonCode: number) => number = (reasonCode) => reasonCode,
): CommandError {
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const chain = causes(error)
  const refusal = chain.find((each) => each.code === 'CONNECTION_REFUSED')
  if (refusal !== undefined) {
    const reasonCode = typeof refusal.reasonCode === 'number' ? refusal.reasonCode : 0x80
    const hint =
      reasonCode === 0x86 || reasonCode === 0x87 ? '; check the user name (-u) and password (-P)' : ''
    const said = oneLine(refusal.message)
    return new CommandError(
      `the broker at ${where} refused the connection: ${said}${hint}`,
      refusalCode(reasonCode),
    )
  }
  for (const { code } of chain) {
    const said = typeof code === 'string' ? SYSTEM_FAULTS[code] : undefined
    if (said !== undefined) return new CommandError(said(where, host))
  }
  return new CommandError(`cannot connect to ${where}: ${oneLine(chain[0]?.message)}`)
}

const UNKNOWN_AUTHORITY =
  'has a certificate of an authority that is not known; name the file of the authority with --cafile'

const SYSTEM_FAULTS: Readonly<Record<string, (where: string, host: string) => string>> = {
  ECONNREFUSED: (where) =>
    `no broker answers at ${where} (connection refused); start one with \`pipit broker\`, or name another with -h and -p`,
  ENOTFOUND: (_, host) => `there is no machine called ${JSON.stringify(host)}; name the broker's with -h`,
  EAI_AGAIN: (_, host) => `the name ${JSON.stringify(host)} could not be looked up; is the network there?`,
  EHOSTUNREACH: (where) => `there is no way to ${where} (host unreachable)`,
  ENETUNREACH: (where) => `there is no way to ${where} (network unreachable)`,
  ETIMEDOUT: (where) => `no answer from ${where} in time`,
  TIMEOUT: (where) => `no answer from ${where} in time; is it an MQTT broker?`,
  DEPTH_ZERO_SELF_SIGNED_CERT: (where) => `${where} ${UNKNOWN_AUTHORITY}`,
  SELF_SIGNED_CERT_IN_CHAIN: (where) => `${where} ${UNKNOWN_AUTHORITY}`,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: (where) => `${where} ${UNKNOWN_AUTHORITY}`,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: (where) => `${where} ${UNKNOWN_AUTHORITY}`,
  CERT_HAS_EXPIRED: (where) => `the certificate of ${where} has expired`,
  ERR_TLS_CERT_ALTNAME_INVALID: (where, host) =>
    `the certificate of ${where} is not for the name ${JSON.stringify(host)}; use a name that it is for`,
  ERR_SSL_WRONG_VERSION_NUMBER: (where) => `${where} does not speak TLS; is it the port for plain MQTT?`,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: (where) => `${where} does not speak TLS; is it the port for plain MQTT?`,
  ECONNRESET: (where) => `${where} closed the connection before it was accepted; is it an MQTT broker?`,
}

/** The first of these codes that the error, or what caused it, has. */
export function systemCode(error: unknown, codes: readonly string[]): string | undefined {
  const fault = causes(error).find(({ code }) => typeof code === 'string' && codes.includes(code))
  return fault?.code as string | undefined
}

/** An error, its cause and so on, and the members of an AggregateError (one for each address tried). */
function causes(error: unknown): Fault[] {
  const found: Fault[] = []
  const visit = (each: unknown): void => {
    if (typeof each !== 'object' || each === null || found.includes(each) || found.length > 20) return
    const fault = each as Fault
    found.push(fault)
    if (Array.isArray(fault.errors)) fault.errors.forEach(visit)
    visit(fault.cause)
  }
  visit(error)
  return found
}

function oneLine(message: unknown): string {
  const text = typeof message === 'string' ? message : String(message)
  return text.replaceAll(/\s*\n\s*/g, ' ')
}
