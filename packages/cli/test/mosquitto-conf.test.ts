import { execFileSync, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { settingsFromYaml } from '@pipit/broker'
import { connect } from '@pipit/client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { freePort, noMosquitto, noMosquittoClients, type Outcome, outcome, Processes } from './processes.ts'

const isUtilLinux = /util-linux/.test(spawnSync('logger', ['--version'], { encoding: 'utf8' }).stdout ?? '')
const noLogger = isUtilLinux ? undefined : "skipped: util-linux's logger is not installed"

const processes = new Processes()
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipit-conf-'))
})
afterEach(async () => {
  await processes.end()
  rmSync(folder, { recursive: true, force: true })
})

function write(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

/** Starts our broker with a mosquitto.conf. */
async function start(file: string, ...args: string[]) {
  // The file says where its data goes.
  const running = processes.pipit(['broker', '-c', file, ...args], { PIPIT_DATA: undefined })
  await running.says(/ready on/)
  return running
}

/** Runs mosquitto_pub and gives its exit code: 0 when the broker took what it was sent. */
async function pub(port: number, ...args: string[]): Promise<number | string> {
  return (await published(port, ...args)).code
}

function published(port: number, ...args: string[]): Promise<Outcome> {
  const topic = args.includes('-t') ? [] : ['-t', 't', '-m', 'm']
  const base = ['-h', '127.0.0.1', '-p', String(port), '-q', '1', ...topic]
  return outcome(processes.run('mosquitto_pub', [...base, ...args]))
}

describe('pipit config from-mosquitto', () => {
  test('prints YAML that says the same, and starts the same broker', async () => {
    const port = await freePort()
    const file = write('m.conf', `listener ${port} 127.0.0.1\nallow_anonymous true\nmax_qos 1\n`)
    const { code, stdout, stderr } = await processes.done(['config', 'from-mosquitto', file])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(settingsFromYaml(stdout, 'y').get('listeners')?.value).toEqual([
      { host: '127.0.0.1', port, maximumQoS: 1 },
    ])
    const running = processes.pipit(['broker', '--config', write('pipit.yaml', stdout)])
    const [, address] = await running.says(/ready on (.*)/)
    expect(address).toBe(`127.0.0.1:${port}`)
  })

  test('what is not supported ends it, or is left out and named', async () => {
    const file = write('m.conf', 'listener 1 127.0.0.1\ntls_engine x\nlog_dest dlt\n')
    const refused = await processes.done(['config', 'from-mosquitto', file])
    expect(refused).toMatchObject({ code: 1, stdout: '' })
    expect(refused.stderr).toContain(`pipit config: ${file}:2: tls_engine is not supported`)
    expect(refused.stderr).toContain(`pipit config: ${file}:3: log_dest dlt is not supported`)
    expect(refused.stderr).toContain('--ignore-unsupported')
    const ignored = await processes.done(['config', 'from-mosquitto', '--ignore-unsupported', file])
    expect(ignored.code).toBe(0)
    expect(ignored.stderr).toContain('tls_engine')
    expect(ignored.stdout).not.toContain('engine')
  })
})

describe('pipit broker --test-config', () => {
  test('0 when all is right, and nothing is made', async () => {
    const data = join(folder, 'store')
    const file = write('m.conf', `persistence true\npersistence_location ${data}\n`)
    const { code, stdout } = await processes.done(['broker', '-c', file, '--test-config'])
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'pipit broker: the configuration is right\n' })
    expect(() => readFileSync(data)).toThrow(/ENOENT/)
  })

  test.each([
    ['listener 1883 127.0.0.1\npassword_file /no/such\n', /\/no\/such/],
    ['listener 1883 127.0.0.1\nacl_file FOLDER/acl\n', /acl:1/],
    ['listener 1883 127.0.0.1\ncertfile /no/cert\nkeyfile /no/key\n', /\/no\/(cert|key)/],
    ['allow_anonymous maybe\n', /m\.conf:1: allow_anonymous is maybe; it takes true or false/],
    ['plugin x\n', /m\.conf:1: plugin is not supported/],
    ['mount_point +\n', /m\.conf:1: mount_point \+ has a wildcard or a zero in it; it takes the beginning/],
    ['connection c\naddress a b:0\ntopic #\n', /m\.conf:2: address b:0: its port is to be from 1 to 65535/],
  ])('1 for %j', async (text, fault) => {
    write('acl', 'nonsense a\n')
    const file = write('m.conf', text.replaceAll('FOLDER', folder))
    const { code, stderr } = await processes.done(['broker', '-c', file, '--test-config'])
    expect(stderr).toMatch(fault)
    expect(code).toBe(1)
  })

  test('a port that is taken is nobody’s fault here', async () => {
    const { port } = await processes.broker()
    const file = write('m.conf', `listener ${port} 127.0.0.1\n`)
    expect((await processes.done(['broker', '-c', file, '--test-config'])).code).toBe(0)
  })
})

describe.skipIf(noMosquittoClients !== undefined)(
  `pipit broker -c mosquitto.conf (${noMosquittoClients ?? 'clients installed'})`,
  () => {
    test('open to the network in words: it starts, with a warning', async () => {
      const port = await freePort()
      const file = write('m.conf', `listener ${port}\nsocket_domain ipv4\nallow_anonymous true\n`)
      const running = await start(file)
      expect(running.stderr).toContain(
        `pipit broker: warning: ${file}:1: listener ${port} is open to the network and lets anyone in`,
      )
      expect(await pub(port)).toBe(0)
    })

    test('a file of another name, and include_dir', async () => {
      const port = await freePort()
      const included = join(folder, 'conf.d')
      mkdirSync(included)
      writeFileSync(join(included, 'a.conf'), `listener ${port} 127.0.0.1\nallow_anonymous true\n`)
      writeFileSync(join(included, 'b.txt'), 'nonsense\n')
      await start(write('broker.config', `include_dir ${included}\n`))
      expect(await pub(port)).toBe(0)
    })

    test.each([
      [true, '1 m\n'],
      [false, '0 none\n'],
    ])('persistence %s: what is retained is there after a restart, or is not', async (persistence, first) => {
      const port = await freePort()
      const kept = `persistence ${persistence}\npersistence_location ${folder}\n`
      const file = write('m.conf', `listener ${port} 127.0.0.1\nallow_anonymous true\n${kept}`)
      const before = await start(file)
      expect(await pub(port, '-r')).toBe(0)
      await before.kill()
      await start(file)
      const args = ['-p', String(port), '-t', 't', '-t', 'end', '-C', '1', '-F', '%r %p']
      const sub = processes.run('stdbuf', ['-oL', 'mosquitto_sub', ...args])
      while (sub.stdout === '') await pub(port, '-t', 'end', '-m', 'none')
      expect(sub.stdout).toBe(first)
    })

    test('SIGHUP: passwords and users as the file has them now', async () => {
      const port = await freePort()
      const passwords = write('pw', '')
      const add = (user: string) => execFileSync('mosquitto_passwd', ['-b', passwords, user, 'p'])
      add('ann')
      const file = write('m.conf', `listener ${port} 127.0.0.1\npassword_file ${passwords}\n`)
      const running = await start(file)
      expect(await pub(port, '-u', 'ann', '-P', 'p')).toBe(0)
      expect(await pub(port, '-u', 'bob', '-P', 'p')).not.toBe(0)
      add('bob')
      running.child.kill('SIGHUP')
      await running.says(/configuration read again/)
      expect(await pub(port, '-u', 'bob', '-P', 'p')).toBe(0)
    })

    test('SIGHUP: who may come in and do what, as the file says it now; what is wrong changes nothing', async () => {
      const port = await freePort()
      const acl = write('acl', 'topic write allowed\n')
      const says = (text: string) => write('m.conf', `listener ${port} 127.0.0.1\n${text}`)
      const running = await start(says('allow_anonymous false\n'))
      const reloaded = async (text: string, times: number) => {
        says(text)
        running.child.kill('SIGHUP')
        await running.says(new RegExp(`(?:configuration read again[^]*){${times}}`))
      }
      expect(await pub(port)).not.toBe(0)
      await reloaded('allow_anonymous true\n', 1)
      const version5 = ['-V', '5', '-t', 'other', '-m', 'm']
      expect((await published(port, ...version5)).stderr).toBe('')
      await reloaded(`allow_anonymous true\nacl_file ${acl}\n`, 2)
      expect((await published(port, ...version5)).stderr).toMatch(/[Nn]ot authori[sz]ed/)
      expect((await published(port, '-V', '5', '-t', 'allowed', '-m', 'm')).stderr).toBe('')
      says('allow_anonymous false\nallow_anonymos true\n')
      running.child.kill('SIGHUP')
      await running.says(/the new configuration is not taken: .*did you mean allow_anonymous/, 'stderr')
      expect((await published(port, '-V', '5', '-t', 'allowed', '-m', 'm')).stderr).toBe('')
    })

    test('log_dest file, with its time; opened again on SIGHUP', async () => {
      const port = await freePort()
      const log = join(folder, 'broker.log')
      const lines = [`log_dest file ${log}`, 'log_type all', 'log_timestamp_format %Y!', 'pid_file PID']
      const text = `listener ${port} 127.0.0.1\nallow_anonymous true\n${lines.join('\n')}\n`
      const running = await start(write('m.conf', text.replace('PID', join(folder, 'pid'))))
      expect(readFileSync(join(folder, 'pid'), 'utf8')).toBe(`${running.child.pid}\n`)
      expect(await pub(port, '-i', 'one')).toBe(0)
      renameSync(log, `${log}.1`)
      running.child.kill('SIGHUP')
      await running.says(/configuration read again/)
      expect(await pub(port, '-i', 'two')).toBe(0)
      await running.kill()
      expect(readFileSync(`${log}.1`, 'utf8')).toMatch(/^\d{4}!: connected clientId="one" from="127/m)
      expect(readFileSync(log, 'utf8')).toMatch(/connected clientId="two"/)
      expect(running.stderr).toBe('')
      expect(() => readFileSync(join(folder, 'pid'))).toThrow(/ENOENT/)
    })

    test.skipIf(noLogger !== undefined)(`log_dest syslog (${noLogger ?? 'logger installed'})`, async () => {
      const socket = createSocket('udp4')
      socket.bind(0, '127.0.0.1')
      await once(socket, 'listening')
      const came: string[] = []
      socket.on('message', (message) => came.push(message.toString()))
      try {
        // The system's own log is left alone: the real program, told where else to go.
        const elsewhere = `--rfc3164 --udp --server 127.0.0.1 --port ${socket.address().port}`
        mkdirSync(join(folder, 'bin'))
        const wrapper = write(
          'bin/logger',
          `#!/bin/sh\nPATH=${process.env['PATH']} exec logger ${elsewhere} "$@"\n`,
        )
        chmodSync(wrapper, 0o755)
        const port = await freePort()
        const text = `listener ${port} 127.0.0.1\nallow_anonymous true\nlog_dest syslog\nlog_facility 3\n`
        const running = processes.pipit(['broker', '-c', write('m.conf', text)], {
          PIPIT_DATA: undefined,
          PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
        })
        await running.says(/ready on/)
        expect(await pub(port, '-i', 'seen')).toBe(0)
        await running.kill()
        while (!came.some((line) => /disconnected clientId="seen"/.test(line))) await once(socket, 'message')
        expect(came[0]).toMatch(/^<157>.* pipit\[\d+\]: connected clientId="seen" from="127/)
        expect(running.stderr).toBe('')
      } finally {
        socket.close()
      }
    })

    test('protocol websockets', async () => {
      const port = await freePort()
      const text = `listener ${port} 127.0.0.1\nprotocol websockets\nallow_anonymous true\n`
      await start(write('m.conf', text))
      const client = await connect(`ws://127.0.0.1:${port}/mqtt`, { reconnect: false })
      await client.publish('t', 'm', { qos: 1 })
      await client.close()
    })

    test('log_dest topic', async () => {
      const port = await freePort()
      const text = `listener ${port} 127.0.0.1\nallow_anonymous true\nlog_dest topic\nlog_type all\n`
      await start(write('m.conf', text))
      const args = ['-p', String(port), '-t', '$SYS/broker/log/#', '-t', 'end', '-C', '1', '-F', '%t %p']
      const sub = processes.run('stdbuf', ['-oL', 'mosquitto_sub', ...args])
      while (sub.stdout === '') await pub(port, '-i', 'seen')
      expect(sub.stdout).toMatch(/^\$SYS\/broker\/log\/N (dis)?connected clientId=/)
    })

    test.skipIf(process.getuid?.() !== 0)(
      'user: started as root, it is that user once it listens',
      async () => {
        const port = await freePort()
        chmodSync(folder, 0o755)
        const text = `listener ${port} 127.0.0.1\nallow_anonymous true\nuser nobody\npersistence true\npersistence_location ${folder}\n`
        const running = await start(write('m.conf', text))
        const status = readFileSync(`/proc/${running.child.pid}/status`, 'utf8')
        expect(status).toMatch(/^Uid:\t([1-9]\d*)\t\1\t\1\t\1$/m)
        expect(await pub(port, '-r')).toBe(0)
        await running.kill()
        expect(running.stderr).not.toMatch(/fail|cannot|EACCES|EPERM/)
      },
    )
  },
)

describe.skipIf(noMosquitto !== undefined || noMosquittoClients !== undefined)(
  `the same doors as Mosquitto's (${noMosquitto ?? noMosquittoClients ?? 'installed'})`,
  () => {
    /** Client arguments, each a connection that publishes once. */
    const LOGINS = [
      [],
      ['-i', 'c'],
      ['-u', 'ann', '-P', 'p'],
      ['-u', 'ann', '-P', 'wrong'],
      ['-u', 'ann'],
      ['-u', 'eve', '-P', 'p'],
      ['-i', 'sec-1'],
      ['-i', 'sec-1', '-u', 'ann', '-P', 'p'],
    ]
    const versions = ['mqttv31', 'mqttv311', 'mqttv5']

    test.each([
      ['nobody', ''],
      ['anyone', 'allow_anonymous true\n'],
      ['passwords', 'password_file FOLDER/pw\n'],
      ['passwords, or nobody in particular', 'password_file FOLDER/pw\nallow_anonymous true\n'],
      ['prefixes', 'allow_anonymous true\nclientid_prefixes sec-\n'],
      ['names as identifiers', 'allow_anonymous true\nuse_username_as_clientid true\n'],
      ['no empty identifiers', 'allow_anonymous true\nallow_zero_length_clientid false\n'],
      [
        'a listener of its own',
        'per_listener_settings true\nlistener PORT 127.0.0.1\nallow_anonymous true\n',
      ],
      ['a listener of its own that says nothing', 'per_listener_settings true\nlistener PORT 127.0.0.1\n'],
      ['an ACL and nobody', 'acl_file FOLDER/acl\n'],
    ])('%s', async (_, text) => {
      write('acl', 'topic readwrite t\n')
      execFileSync('mosquitto_passwd', ['-c', '-b', join(folder, 'pw'), 'ann', 'p'])
      const whole = text.includes('listener PORT') ? text : `listener PORT 127.0.0.1\n${text}`
      const [ours, theirs] = [await freePort(), await freePort()]
      const file = (port: number): string =>
        write(
          `${port}.conf`,
          whole.replaceAll('FOLDER', folder).replaceAll('PORT', String(port)) +
            (port === theirs ? 'user root\n' : ''),
        )
      await start(file(ours))
      await processes.mosquittoWith(file(theirs))
      const cases = versions.flatMap((version) => LOGINS.map((login) => ['-V', version, ...login]))
      const wrong: unknown[] = []
      for (const login of cases) {
        const [here, there] = await Promise.all([pub(ours, ...login), pub(theirs, ...login)])
        if ((here === 0) !== (there === 0)) wrong.push({ login, here, there })
      }
      expect(wrong).toEqual([])
    })

    test('pre-shared keys, with a name in them and without', async () => {
      const keys = write('keys', 'ann:00112233445566778899aabbccddeeff\n')
      execFileSync('mosquitto_passwd', ['-c', '-b', join(folder, 'pw'), 'bob', 'p'])
      const [ours, theirs] = [
        [await freePort(), await freePort()],
        [await freePort(), await freePort()],
      ]
      const file = ([named, plain]: readonly number[]): string =>
        write(
          `${named}.conf`,
          [
            `password_file ${folder}/pw`,
            `psk_file ${keys}`,
            `listener ${named} 127.0.0.1`,
            'psk_hint hint',
            'use_identity_as_username true',
            `listener ${plain} 127.0.0.1`,
            'psk_hint hint',
            'user root',
            '',
          ].join('\n'),
        )
      await start(file(ours))
      await processes.mosquittoWith(file(theirs))
      const psk = (identity: string, key: string) => ['--psk', key, '--psk-identity', identity]
      const right = psk('ann', '00112233445566778899aabbccddeeff')
      const cases: readonly (readonly [string, readonly string[], readonly boolean[]])[] = [
        ['the key', right, [true, false]],
        ['the key and a password', [...right, '-u', 'bob', '-P', 'p'], [true, true]],
        ['the key and a wrong password', [...right, '-u', 'bob', '-P', 'x'], [true, false]],
        ['a wrong key', psk('ann', '00'), [false, false]],
        ['a wrong identity', psk('bob', '00112233445566778899aabbccddeeff'), [false, false]],
        ['no TLS', ['-u', 'bob', '-P', 'p'], [false, false]],
      ]
      for (const [name, args, isIn] of cases) {
        const here = await Promise.all(ours.map(async (port) => (await pub(port, ...args)) === 0))
        const there = await Promise.all(theirs.map(async (port) => (await pub(port, ...args)) === 0))
        expect([name, here, there]).toEqual([name, isIn, isIn])
      }
    })

    test("a bridge of Mosquitto's with a pre-shared key comes in here, and ours there", async () => {
      const keys = write('keys', 'bridge:00112233445566778899aabbccddeeff\n')
      const [ours, theirs, oursPsk, theirsPsk] = await Promise.all(Array.from({ length: 4 }, freePort))
      const file = (port = 0, psk = 0, other = 0): string =>
        write(
          `${port}.conf`,
          [
            `listener ${port} 127.0.0.1`,
            'allow_anonymous true',
            `psk_file ${keys}`,
            `listener ${psk} 127.0.0.1`,
            'psk_hint hint',
            'user root',
            `connection to-${other}`,
            `address 127.0.0.1:${other}`,
            `topic from/${port} out 1`,
            'bridge_identity bridge',
            'bridge_psk 00112233445566778899aabbccddeeff',
            'restart_timeout 1',
            '',
          ].join('\n'),
        )
      await start(file(ours, oursPsk, theirsPsk))
      await processes.mosquittoWith(file(theirs, theirsPsk, oursPsk))
      for (const [from = 0, to = 0] of [
        [ours, theirs],
        [theirs, ours],
      ]) {
        const args = ['-p', String(to), '-t', `from/${from}`, '-C', '1', '-F', '%t']
        const sub = processes.run('stdbuf', ['-oL', 'mosquitto_sub', ...args])
        while (sub.stdout === '') await pub(from, '-t', `from/${from}`, '-m', 'm')
        expect(sub.stdout).toBe(`from/${from}\n`)
      }
    })

    test('TLS: certificates that are asked for, and who they name', async () => {
      const certificates = join(folder, 'certs')
      makeCertificates(certificates)
      write('acl', 'user ann\ntopic readwrite of-ann\n')
      const [ours, theirs] = [await freePort(), await freePort()]
      const file = (port: number): string =>
        write(
          `${port}.conf`,
          [
            `listener ${port} 127.0.0.1`,
            `cafile ${certificates}/ca.crt`,
            `certfile ${certificates}/server.crt`,
            `keyfile ${certificates}/server.key`,
            'require_certificate true',
            'use_identity_as_username true',
            `acl_file ${folder}/acl`,
            'user root',
            '',
          ].join('\n'),
        )
      await start(file(ours))
      await processes.mosquittoWith(file(theirs))
      const pair = (name: string) => [
        '--cert',
        join(certificates, `${name}.crt`),
        '--key',
        join(certificates, `${name}.key`),
      ]
      const trusted = ['--cafile', join(certificates, 'ca.crt')]
      const cases: readonly (readonly [readonly string[], boolean])[] = [
        [[...trusted, ...pair('ann')], true],
        [trusted, false],
        [[...trusted, ...pair('other')], false],
        [[], false],
      ]
      for (const [args, isIn] of cases) {
        const [here, there] = await Promise.all([ours, theirs].map((port) => pub(port, ...args)))
        expect([args, here === 0, there === 0]).toEqual([args, isIn, isIn])
      }
      // What the name of the certificate may do: a message that is not delivered never reaches its own publisher.
      for (const port of [ours, theirs]) {
        const secure = ['-h', '127.0.0.1', '-p', String(port), ...trusted, ...pair('ann')]
        const args = [...secure, '-t', 'of-ann', '-t', 'of-bob', '-C', '1', '-F', '%t']
        const sub = processes.run('stdbuf', ['-oL', 'mosquitto_sub', ...args])
        while (sub.stdout === '') {
          await pub(port, ...trusted, ...pair('ann'), '-t', 'of-bob', '-m', 'm')
          await pub(port, ...trusted, ...pair('ann'), '-t', 'of-ann', '-m', 'm')
        }
        expect(sub.stdout).toBe('of-ann\n')
      }
    })
  },
)

/** A CA, a server of this machine, ann, and somebody whom another CA names. */
function makeCertificates(into: string): void {
  mkdirSync(into)
  const openssl = (...args: string[]): void =>
    void execFileSync('openssl', args, { cwd: into, stdio: 'ignore' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  for (const ca of ['ca', 'stranger']) {
    openssl('req', '-x509', ...key, '-subj', `/CN=${ca}`, '-keyout', `${ca}.key`, '-out', `${ca}.crt`)
  }
  const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  for (const [name, ca] of [
    ['server', 'ca'],
    ['ann', 'ca'],
    ['other', 'stranger'],
  ] as const) {
    const by = ['-CA', `${ca}.crt`, '-CAkey', `${ca}.key`]
    openssl(
      'req',
      '-x509',
      ...key,
      ...by,
      '-subj',
      `/CN=${name}`,
      ...names,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.crt`,
    )
  }
}
