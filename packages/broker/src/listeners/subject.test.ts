import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { commonNameOf, rfc2253 } from './subject.ts'

const folder = mkdtempSync(join(tmpdir(), 'pipit-subject-'))
afterAll(() => rmSync(folder, { recursive: true }))
const noOpenssl = spawnSync('openssl', ['version']).error === undefined ? '' : 'skipped: there is no openssl'

/** A certificate of this subject, and what OpenSSL writes it as. */
function made(subject: string): { certificate: X509Certificate; said: string } {
  const [key, file] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-multivalue-rdn', '-utf8']
  spawnSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', file, '-subj', subject])
  const { stdout } = spawnSync('openssl', ['x509', '-in', file, '-noout', '-subject', '-nameopt', 'RFC2253'])
  const certificate = new X509Certificate(readFileSync(file))
  return {
    certificate,
    said: String(stdout)
      .trim()
      .replace(/^subject=/, ''),
  }
}

describe.skipIf(noOpenssl !== '')(`names in certificates ${noOpenssl}`, () => {
  test.each([
    ['/O=org/CN=sensor_1', 'sensor_1'],
    ['/O=a, b/CN=Doe, Jane', 'Doe, Jane'],
    ['/CN="quoted"', '"quoted"'],
    ['/CN=#number', '#number'],
    ['/CN= space', ' space'],
    ['/O=Müller/CN=Käfer-☃', 'Käfer-☃'],
    ['/CN=a\\+b', 'a+b'],
    ['/O=org/CN=multi+OU=valued', 'multi'],
    ['/CN=first/CN=second', 'first'],
    ['/O=nobody', undefined],
  ])('%s', (subject, name) => {
    const { certificate, said } = made(subject)
    expect(commonNameOf(certificate)).toBe(name)
    expect(rfc2253(certificate.subject)).toBe(said)
  })
})
