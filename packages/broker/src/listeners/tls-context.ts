import { X509Certificate } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { contentsOf, isPem, pemOf } from '../files.ts'
import type { TlsCertificate, TlsOptions } from './tls-options.ts'

/** What a TLS listener works with: made of files, and made again when they change. */
export interface TlsContexts {
  /** For clients that name no host, or one that no certificate is for. */
  readonly standard: SecureContextOptions
  /** The context whose certificate is for this host; undefined: the standard one. */
  byName(host: string): SecureContext | undefined
  /** Keys by identity; undefined: there are none. */
  readonly keys: ReadonlyMap<string, Buffer> | undefined
}

/** Says whether options can work at all.
 *  @throws Error naming what is missing or contradicts itself */
export function checkTlsOptions(options: TlsOptions): void {
  const { certificate, key, pskFile } = options
  if ((certificate === undefined) !== (key === undefined)) {
    throw new Error(`tls.${certificate === undefined ? 'certificate' : 'key'} is missing; TLS needs both`)
  }
  if (certificate === undefined && pskFile === undefined) {
    throw new Error('tls.certificate and tls.key are missing; TLS needs them (`pipit cert dev` makes some)')
  }
  const hasAuthorities = options.ca !== undefined || options.caFolder !== undefined
  if (options.requireCertificate === true && !hasAuthorities) {
    throw new Error('tls.requireCertificate needs tls.ca or tls.caFolder: who signed the certificates')
  }
  const takesName = options.identityAsUsername === true || options.subjectAsUsername === true
  if (takesName && options.requireCertificate !== true && pskFile === undefined) {
    throw new Error('tls.identityAsUsername and tls.subjectAsUsername need tls.requireCertificate')
  }
  if (pskFile !== undefined && options.minimumVersion === 'TLSv1.3') {
    throw new Error('tls.pskFile works with TLS 1.2 only; tls.minimumVersion has to be TLSv1.2')
  }
  if ((options.minimumVersion ?? 'TLSv1.2') > (options.maximumVersion ?? 'TLSv1.3')) {
    throw new Error('tls.minimumVersion is above tls.maximumVersion')
  }
}

/** Reads all files and makes contexts of them.
 *  @throws Error naming the file and what is wrong */
export async function readContexts(options: TlsOptions): Promise<TlsContexts> {
  const shared = await sharedOptions(options)
  const { certificate, key, passphrase, pskFile, certificates = [] } = options
  const keys = pskFile === undefined ? undefined : parseKeys(await contentsOf(pskFile), pskFile)
  const own = certificate === undefined || key === undefined ? undefined : { certificate, key, passphrase }
  const standard = own === undefined ? undefined : await contextOf(own as TlsCertificate, shared)
  const named = standard === undefined ? [] : [standard]
  for (const each of certificates) named.push(await contextOf(each, shared))
  return {
    standard: standard?.options ?? shared,
    keys,
    byName: (host) => named.find(({ names }) => names.some((name) => fits(name, host)))?.context,
  }
}

/** The files that options name, to be watched. */
export function filesOf(options: TlsOptions): string[] {
  const { certificate, key, ca, caFolder, crl, dhParameters, pskFile, certificates = [] } = options
  const pairs = certificates.flatMap((each) => [each.certificate, each.key])
  const all = [certificate, key, ca, caFolder, crl, dhParameters, pskFile, ...pairs]
  return all.filter((each) => each !== undefined && each !== 'auto' && !isPem(each)) as string[]
}

async function sharedOptions(options: TlsOptions): Promise<SecureContextOptions> {
  const { ca, caFolder, crl, dhParameters, pskFile, certificate } = options
  const authorities = [
    ...(ca === undefined ? [] : [await pemOf(ca)]),
    ...(caFolder === undefined ? [] : await folderOf(caFolder)),
  ]
  // Node offers no cipher that works with pre-shared keys unless it is named.
  const pskCiphers = certificate === undefined ? 'PSK' : 'DEFAULT:PSK'
  const ciphers = options.ciphers ?? (pskFile === undefined ? undefined : pskCiphers)
  return {
    minVersion: options.minimumVersion ?? 'TLSv1.2',
    maxVersion: options.maximumVersion ?? (pskFile === undefined ? 'TLSv1.3' : 'TLSv1.2'),
    // The server's order of ciphers, not the client's.
    honorCipherOrder: true,
    ...(authorities.length > 0 && { ca: authorities }),
    ...(crl !== undefined && { crl: await pemOf(crl) }),
    ...(ciphers !== undefined && { ciphers }),
    ...(dhParameters !== undefined && {
      dhparam: dhParameters === 'auto' ? 'auto' : await pemOf(dhParameters),
    }),
  }
}

async function folderOf(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new Error(`${folder}: there is no such folder`, { cause })
  })
  const wanted = names.filter((name) => /\.(crt|pem|cer|0)$/.test(name)).sort()
  return Promise.all(wanted.map((name) => contentsOf(join(folder, name))))
}

async function contextOf(
  { certificate, key, passphrase }: TlsCertificate,
  shared: SecureContextOptions,
): Promise<{ context: SecureContext; options: SecureContextOptions; names: string[] }> {
  const cert = await pemOf(certificate)
  const where = isPem(certificate) ? 'tls.certificate' : certificate
  let names: string[]
  try {
    names = namesIn(new X509Certificate(cert))
  } catch (cause) {
    throw new Error(`${where}: no certificate in PEM`, { cause })
  }
  try {
    const own = { ...shared, cert, key: await pemOf(key), passphrase }
    return { context: createSecureContext(own), options: own, names }
  } catch (cause) {
    if (!(cause instanceof Error) || !('code' in cause)) throw cause
    throw new Error(`${where} and its key: ${explained(cause)}`, { cause })
  }
}

function explained(cause: Error): string {
  const said: Record<string, string> = {
    ERR_OSSL_X509_KEY_VALUES_MISMATCH: 'the key is not that of the certificate',
    ERR_OSSL_EVP_BAD_DECRYPT: 'the passphrase of the key is wrong',
    ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED: 'the key is encrypted and there is no passphrase',
    ERR_OSSL_PEM_NO_START_LINE: 'the key is no PEM',
    ERR_OSSL_UNSUPPORTED: 'the key is no PEM',
  }
  return said[String((cause as NodeJS.ErrnoException).code)] ?? cause.message
}

/** Hosts that a certificate is for, in lower case. */
function namesIn(certificate: X509Certificate): string[] {
  const alternatives = (certificate.subjectAltName ?? '').split(', ')
  const names = alternatives.filter((each) => each.startsWith('DNS:')).map((each) => each.slice(4))
  const [, common] = /^CN=(.+)$/m.exec(certificate.subject) ?? []
  if (names.length === 0 && common !== undefined) names.push(common)
  return names.map((name) => name.toLowerCase())
}

function fits(name: string, host: string): boolean {
  const wanted = host.toLowerCase()
  // A star stands for one label, the first (RFC 6125, 6.4.3).
  if (name.startsWith('*.')) return wanted.slice(wanted.indexOf('.') + 1) === name.slice(2)
  return wanted === name
}

/** @throws Error naming the line that is wrong, never the key in it */
function parseKeys(text: string, file: string): Map<string, Buffer> {
  const keys = new Map<string, Buffer>()
  for (const [i, line] of text.split('\n').entries()) {
    const said = line.trim()
    if (said === '' || said.startsWith('#')) continue
    const at = said.indexOf(':')
    const key = said.slice(at + 1)
    if (at < 1 || !/^([0-9a-f]{2})+$/i.test(key)) {
      throw new Error(`${file}:${i + 1}: no line IDENTITY:KEY with the key in hexadecimal`)
    }
    keys.set(said.slice(0, at), Buffer.from(key, 'hex'))
  }
  return keys
}
