// @peculiar/x509 needs it, and does not bring it.
import 'reflect-metadata'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonName,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  X509Crl,
  type X509CrlEntryParams,
  X509CrlGenerator,
} from '@peculiar/x509'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const DAY_MS = 86_400_000

type Keys = Awaited<ReturnType<typeof newKeys>>
type Key = Keys['privateKey']

/** What a certificate is to be. */
export interface CertificateWish {
  /** The common name. */
  readonly name: string
  readonly purpose: 'server' | 'client'
  /** Names and addresses that a server is reached by. */
  readonly hosts?: readonly string[]
  /** From now; a negative number makes one that has expired. */
  readonly days: number
}

/** An authority for development: its certificate, its key and what it revoked, in files of one folder. */
export class CertAuthority {
  readonly folder: string
  private readonly certificate: X509Certificate
  private readonly key: Key

  /** Takes the authority that is in the folder, or makes one there.
   *  @returns also whether it was there */
  static async at(folder: string, days: number): Promise<{ authority: CertAuthority; existed: boolean }> {
    const [crt, key] = [join(folder, 'ca.crt'), join(folder, 'ca.key')]
    if (existsSync(crt) && existsSync(key)) {
      const pem = PemConverter.decodeFirst(await readFile(key, 'utf8'))
      const imported = await crypto.subtle.importKey('pkcs8', pem, ALGORITHM, true, ['sign'])
      const certificate = new X509Certificate(await readFile(crt, 'utf8'))
      return { authority: new CertAuthority(folder, certificate, imported), existed: true }
    }
    await mkdir(folder, { recursive: true })
    const keys = await newKeys()
    const certificate = await X509CertificateGenerator.createSelfSigned({
      ...validity(days),
      serialNumber: serialNumber(),
      name: nameOf('Pipit development CA'),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    })
    await write(folder, 'ca', certificate, keys.privateKey)
    const authority = new CertAuthority(folder, certificate, keys.privateKey)
    await authority.writeCrl([])
    return { authority, existed: false }
  }

  private constructor(folder: string, certificate: X509Certificate, key: Key) {
    this.folder = folder
    this.certificate = certificate
    this.key = key
  }

  /** Makes FILE.crt and FILE.key. */
  async issue(file: string, { name, purpose, hosts = [], days }: CertificateWish): Promise<void> {
    const keys = await newKeys()
    const usage = purpose === 'server' ? ExtendedKeyUsage.serverAuth : ExtendedKeyUsage.clientAuth
    const extensions: Extension[] = [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([usage]),
      await AuthorityKeyIdentifierExtension.create(this.certificate.publicKey),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ]
    if (hosts.length > 0) {
      const names = hosts.map((value) => ({
        type: isIP(value) > 0 ? ('ip' as const) : ('dns' as const),
        value,
      }))
      extensions.push(new SubjectAlternativeNameExtension(names))
    }
    const certificate = await X509CertificateGenerator.create({
      ...validity(days),
      serialNumber: serialNumber(),
      subject: nameOf(name),
      issuer: this.certificate.subjectName,
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: this.key,
      extensions,
    })
    await write(this.folder, file, certificate, keys.privateKey)
  }

  /** Puts FILE.crt on the list of revoked certificates, ca.crl. */
  async revoke(file: string): Promise<void> {
    const { serialNumber: serial } = new X509Certificate(
      await readFile(join(this.folder, `${file}.crt`), 'utf8'),
    )
    const crl = PemConverter.decodeFirst(await readFile(join(this.folder, 'ca.crl'), 'utf8'))
    const before = new X509Crl(crl).entries
    const entries = before.map(({ serialNumber, revocationDate }) => ({ serialNumber, revocationDate }))
    await this.writeCrl([...entries, { serialNumber: serial, revocationDate: new Date() }])
  }

  private async writeCrl(entries: X509CrlEntryParams[]): Promise<void> {
    const crl = await X509CrlGenerator.create({
      issuer: this.certificate.subjectName,
      thisUpdate: new Date(Date.now() - DAY_MS),
      nextUpdate: this.certificate.notAfter,
      signingAlgorithm: ALGORITHM,
      signingKey: this.key,
      entries,
    })
    await writeFile(join(this.folder, 'ca.crl'), `${PemConverter.encode(crl.rawData, 'X509 CRL')}\n`)
  }
}

// Its type is that of the platform's own `crypto`, which the certificates' library takes.
function newKeys() {
  return crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
}

/** A day back, for clocks that are behind. */
function validity(days: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now()
  const notAfter = new Date(now + days * DAY_MS)
  return { notBefore: new Date(Math.min(now, notAfter.getTime()) - DAY_MS), notAfter }
}

/** Positive, as RFC 5280, 4.1.2.2 wants it. */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0]! & 0x7f) | 0x40
  return bytes.toString('hex')
}

function nameOf(commonName: string): JsonName {
  return [{ CN: [commonName] }]
}

/** Only the owner reads keys. */
async function write(folder: string, file: string, certificate: X509Certificate, key: Key): Promise<void> {
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', key)
  const keyFile = join(folder, `${file}.key`)
  await writeFile(keyFile, `${PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`, { mode: 0o600 })
  await chmod(keyFile, 0o600)
  await writeFile(join(folder, `${file}.crt`), `${certificate.toString('pem')}\n`)
}
