import type { X509Certificate } from 'node:crypto'

/** The common name of a certificate's subject, the first if there are several; undefined when there is none that can
 *  be a name. */
export function commonNameOf(certificate: X509Certificate): string | undefined {
  const { CN } = certificate.toLegacyObject().subject as { CN?: string | readonly string[] }
  const name = typeof CN === 'object' ? CN[0] : CN
  return name === undefined || name === '' || name.includes('\0') ? undefined : name
}

/** A subject as RFC 2253 writes it, and OpenSSL and Mosquitto with it: the last part first, and what is not ASCII as
 *  its bytes.
 *  @param subject as Node has it: a line for each part, those of one part with ` + ` between them */
export function rfc2253(subject: string): string {
  const parts = subject.split('\n').map((part) => part.split(' + ').reverse().join('+'))
  return parts
    .reverse()
    .join(',')
    .replaceAll(/[^\0-\x7f]/gu, bytesOf)
}

function bytesOf(character: string): string {
  const hex = Buffer.from(character).toString('hex').toUpperCase()
  return hex.replaceAll(/../g, '\\$&')
}
