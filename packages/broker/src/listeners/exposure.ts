import { isLoopback } from '../network.ts'

/** What decides whether a listener may be reached from other machines. */
export interface Exposure {
  /** Where it listens: `0.0.0.0`. */
  readonly host: string
  readonly hasTls: boolean
  /** Clients have to say and prove who they are. */
  readonly asksWho: boolean
  /** Somebody said that it is to be open all the same. */
  readonly insecure: boolean
}

/** Keeps a listener that other machines can reach from being open or unencrypted by oversight.
 *  @throws Error saying what is missing, and the commands that help */
export function checkExposure({ host, hasTls, asksWho, insecure }: Exposure): void {
  if (insecure || (hasTls && asksWho) || isLoopback(host)) return
  const missing = [...(asksWho ? [] : ['let everybody in']), ...(hasTls ? [] : ['speak without encryption'])]
  throw Object.assign(
    new Error(
      `a listener on ${host} can be reached from other machines, and would ${missing.join(' and ')}. ` +
        'Two commands make what is missing: `pipit passwd add USER` and `pipit cert dev`. ' +
        'To listen there as it is, say --insecure (in the configuration: insecure: true).',
    ),
    { code: 'INSECURE_LISTENER' },
  )
}
