import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { freePort, MOSQUITTO, noMosquitto, noMosquittoClients, outcome, Processes } from './processes.ts'

const processes = new Processes()
const folder = mkdtempSync(join(tmpdir(), 'pipit-passwd-'))
afterAll(async () => {
  await processes.end()
  rmSync(folder, { recursive: true })
})

const passwd = (args: readonly string[], input = '') => processes.done(['passwd', ...args], input)

test('adds from stdin, changes, lists, checks and deletes; other lines stay, and only the owner reads the file', async () => {
  const file = join(folder, 'p1')
  writeFileSync(file, '# our users\nold:$6$c2FsdA==$AAAA\n')
  expect(await passwd(['add', 'alice', '-f', file], 'pa:ss word\n')).toMatchObject({ code: 0, stderr: '' })
  expect(readFileSync(file, 'utf8')).toMatch(
    /^# our users\nold:\$6\$.*\nalice:\$argon2id\$v=19\$m=19456,t=2,p=1\$/,
  )
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(await passwd(['check', 'alice', '-f', file], 'pa:ss word\n')).toMatchObject({ code: 0 })
  expect(await passwd(['check', 'alice', '-f', file, '-P', 'other'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('that is not the password of alice') as string,
  })
  const { stdout } = await passwd(['add', 'alice', '-f', file, '--generate'])
  const [, made = ''] = /^password: (\S{20})$/m.exec(stdout) ?? []
  expect(await passwd(['check', 'alice', '-f', file, '-P', made])).toMatchObject({ code: 0 })
  expect((await passwd(['list', '-f', file])).stdout).toBe('old\tcannot log in\nalice\targon2id\n')
  expect(await passwd(['delete', 'alice', '-f', file])).toMatchObject({ code: 0 })
  expect(readFileSync(file, 'utf8')).toBe('# our users\nold:$6$c2FsdA==$AAAA\n')
})

test('hashes what stands in a file as it is', async () => {
  const file = join(folder, 'p2')
  writeFileSync(file, 'alice:secret\n')
  expect(await passwd(['hash', '-f', file])).toMatchObject({
    code: 0,
    stdout: `${file}: 1 of the passwords hashed\n`,
  })
  expect(readFileSync(file, 'utf8')).not.toContain('secret')
  expect(await passwd(['check', 'alice', '-f', file, '-P', 'secret'])).toMatchObject({ code: 0 })
})

test.each([
  [['add', 'a:b', '-P', 'x'], 'cannot stand in a password file'],
  [['add', 'alice', '-P', ''], 'the password is empty'],
  [['delete', 'nobody'], 'there is no user nobody'],
  [['list', '-f', '/no/such/file'], '/no/such/file: there is no such file'],
])('%j says what is wrong', async (args, fault) => {
  const file = join(folder, 'p3')
  writeFileSync(file, '')
  const { code, stderr } = await passwd(args.includes('-f') ? args : [...args, '-f', file])
  expect(code).toBe(1)
  expect(stderr).toContain(fault)
})

const skipped = noMosquitto ?? noMosquittoClients
test.skipIf(skipped !== undefined)(`Mosquitto reads what is written for it ${skipped ?? ''}`, async () => {
  const file = join(folder, 'p4')
  for (const [user, form] of [
    ['alice', 'sha512-pbkdf2'],
    ['bob', 'sha512'],
  ] as const) {
    expect(await passwd(['add', user, '-f', file, '-P', `of ${user}`, '--hash', form])).toMatchObject({
      code: 0,
    })
  }
  // Mosquitto gives up the rights of root before it reads the file.
  chmodSync(folder, 0o755)
  chmodSync(file, 0o644)
  const port = await freePort()
  const conf = join(folder, 'mosquitto.conf')
  writeFileSync(conf, `listener ${port} 127.0.0.1\nallow_anonymous false\npassword_file ${file}\n`)
  await processes.run(MOSQUITTO, ['-v', '-c', conf]).says(/mosquitto version .* running/, 'stderr')
  const login = (user: string, password: string) =>
    outcome(
      processes.run('mosquitto_pub', ['-p', String(port), '-u', user, '-P', password, '-t', 't', '-m', 'x']),
    )
  expect(await login('alice', 'of alice')).toMatchObject({ code: 0 })
  expect(await login('bob', 'of bob')).toMatchObject({ code: 0 })
  expect(await login('alice', 'of bob')).toMatchObject({ code: 5 })
})
