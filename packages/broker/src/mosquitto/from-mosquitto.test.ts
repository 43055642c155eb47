import { describe, expect, test } from 'vitest'
import { ConfigurationError } from '../config/check.ts'
import type { MosquittoHost } from './document.ts'
import { fromMosquitto } from './from-mosquitto.ts'
import type { MosquittoFile } from './lines.ts'
import { MOSQUITTO_OPTIONS } from './option-table.ts'

const HOST: MosquittoHost = {
  hostname: 'here',
  ipv6: true,
  addressesOf: (device) => (device === 'eth0' ? ['10.0.0.1', 'fe80::1'] : []),
}

function read(text: string, folders: Readonly<Record<string, readonly MosquittoFile[]>> = {}) {
  const readFolder = (folder: string): readonly MosquittoFile[] => {
    const files = folders[folder]
    if (files === undefined) throw new Error('there is no such folder')
    return files
  }
  return fromMosquitto({ name: 'm.conf', text }, readFolder, HOST)
}

function faultsOf(text: string): readonly string[] {
  try {
    read(text)
  } catch (error) {
    if (error instanceof ConfigurationError) return error.faults
    throw error
  }
  return []
}

const LINK = 'connection b\naddress h\n'

describe('fromMosquitto()', () => {
  test('nothing said: this machine only, everyone on it, nothing kept', () => {
    expect(read('# nothing\n\n').document).toEqual({
      access: { anonymous: true },
      listeners: [
        { host: '127.0.0.1', port: 1883 },
        { host: '::1', port: 1883 },
      ],
      persistence: false,
      overflowPolicy: 'drop-newest',
      log: { level: 'info' },
    })
  })

  test('a listener: nobody may come in unless the file says who', () => {
    const { document, warnings } = read('listener 1884 127.0.0.1\n')
    expect(document).toMatchObject({
      access: { anonymous: false },
      listeners: [{ host: '127.0.0.1', port: 1884 }],
    })
    expect(warnings).toEqual([])
  })

  test.each([
    [
      'listener 1883\nallow_anonymous true\n',
      'm.conf:1: listener 1883 is open to the network and lets anyone in',
    ],
    [
      'listener 1883 0.0.0.0\npassword_file p\n',
      'm.conf:1: listener 1883 0.0.0.0 is open to the network and takes passwords without TLS, readable on their way',
    ],
    ['allow_anonymous true\nport 1884\n', 'the default listener is open to the network and lets anyone in'],
  ])('%j: open in words, with a warning', (text, warning) => {
    const { document, warnings } = read(text)
    expect(warnings).toEqual([warning])
    expect(document).toMatchObject({ listeners: [{ insecure: true }] })
  })

  test.each([
    'listener 1883 localhost\nallow_anonymous true\n',
    'listener 0 /run/mqtt.sock\nallow_anonymous true\n',
    'listener 8883\npassword_file p\ncertfile c\nkeyfile k\n',
  ])('%j: nothing to warn of', (text) => {
    const { document, warnings } = read(text)
    expect(warnings).toEqual([])
    expect(JSON.stringify(document)).not.toContain('insecure')
  })

  test('per_listener_settings gives each listener its own access', () => {
    const text = `per_listener_settings true
listener 1883 127.0.0.1
allow_anonymous true
auto_id_prefix a-
listener 1884 127.0.0.1
password_file p
acl_file a
allow_zero_length_clientid false
`
    const { document } = read(text)
    expect(document['access']).toBeUndefined()
    expect(document['listeners']).toEqual([
      { host: '127.0.0.1', port: 1883, assignedClientIdPrefix: 'a-', access: { anonymous: true } },
      {
        host: '127.0.0.1',
        port: 1884,
        emptyClientId: false,
        access: { anonymous: false, passwordFile: 'p', aclFile: 'a' },
      },
    ])
  })

  test('without per_listener_settings the last word counts for all', () => {
    const { document } = read('listener 1883 ::1\nallow_anonymous true\nlistener 1884 ::1\nacl_file a\n')
    expect(document['access']).toEqual({ anonymous: true, aclFile: 'a' })
  })

  test('TLS, and names from certificates only where they are required', () => {
    const tls =
      'certfile c\nkeyfile k\ncafile ca\ncrlfile r\nciphers A:B\nciphers_tls1.3 C\ntls_version tlsv1.3\n'
    const { document } = read(
      `listener 1\nallow_anonymous false\n${tls}use_identity_as_username true\nlistener 2\n${tls}require_certificate true\nuse_subject_as_username 1\n`,
    )
    const common = {
      certificate: 'c',
      key: 'k',
      ca: 'ca',
      crl: 'r',
      ciphers: 'C:A:B',
      minimumVersion: 'TLSv1.3',
    }
    expect(document['listeners']).toEqual([
      { host: '::', port: 1, tls: common },
      { host: '::', port: 2, tls: { ...common, requireCertificate: true, subjectAsUsername: true } },
    ])
  })

  test('pre-shared keys', () => {
    const { document } = read('psk_file keys\nlistener 8884\npsk_hint h\nuse_identity_as_username true\n')
    expect(document['listeners']).toMatchObject([
      { tls: { pskHint: 'h', pskFile: 'keys', identityAsUsername: true } },
    ])
  })

  test('where to listen', () => {
    const { document } = read(
      'listener 1\nsocket_domain ipv4\nlistener 2\nsocket_domain ipv6\nlistener 3\nbind_interface eth0\nlistener 4 localhost\nprotocol websockets\nlistener 0 /s\n',
    )
    expect(document['listeners']).toMatchObject([
      { host: '0.0.0.0', port: 1 },
      { host: '::', port: 2, ipv6Only: true },
      { host: '10.0.0.1', port: 3 },
      { host: 'fe80::1', port: 3 },
      { host: '127.0.0.1', port: 4, type: 'websocket' },
      { host: '::1', port: 4, type: 'websocket' },
      { type: 'unix', path: '/s' },
    ])
  })

  test('http_dir, and headers that may be longer', () => {
    const text = 'websockets_headers_size 10000\nlistener 1 ::1\nprotocol websockets\nhttp_dir /srv\n'
    const { document, warnings } = read(`${text}listener 2 ::1\nhttp_dir /srv\n`)
    expect(document['listeners']).toEqual([
      { host: '::1', port: 1, type: 'websocket', httpFolder: '/srv', headerBytes: 10000 },
      { host: '::1', port: 2 },
    ])
    expect(warnings).toEqual(['m.conf:6: http_dir does nothing without protocol websockets'])
    const small = read('websockets_headers_size 2000\nlistener 1 ::1\nprotocol websockets\n')
    expect(small.document['listeners']).toEqual([{ host: '::1', port: 1, type: 'websocket' }])
  })

  test('mount_point', () => {
    expect(read('listener 1 ::1\nmount_point house/\n').document['listeners']).toEqual([
      { host: '::1', port: 1, mountPoint: 'house/' },
    ])
    expect(faultsOf('listener 1 ::1\nmount_point a/#\n')).toEqual([
      'm.conf:2: mount_point a/# has a wildcard or a zero in it; it takes the beginning of a topic, such as house/',
    ])
  })

  test('limits, with 0 as Mosquitto means it', () => {
    const { document } = read(
      'max_queued_messages 0\nmax_queued_bytes 100\nmax_inflight_messages 0\nmax_packet_size 2000000000\nmessage_size_limit 10\nmax_keepalive 60\npersistent_client_expiration 2w\nmax_inflight_bytes 100\nmemory_limit 5000\n',
    )
    expect(document['limits']).toEqual({
      queuedMessages: Number.MAX_SAFE_INTEGER,
      queuedBytes: 100,
      inflight: 65535,
      maximumPacketSize: 268435460,
      payloadSize: 10,
      keepAlive: 60,
      inflightBytes: 100,
      memory: 5000,
      sessionExpiryInterval: 1209600,
    })
  })

  test('0 and less is no limit, and nothing to say', () => {
    expect(read('max_inflight_bytes -1\nmemory_limit 0\n').document['limits']).toBeUndefined()
  })

  test('QoS 0 that waits, and QoS that is raised', () => {
    const { document } = read('queue_qos0_messages true\nupgrade_outgoing_qos 1\n')
    expect(document).toMatchObject({ queueQoS0: true, upgradeQoS: true })
  })

  test.each([
    ['', undefined],
    ['acl_file a\n', true],
    ['per_listener_settings true\nlistener 1 ::1\nacl_file a\n', true],
    ['acl_file a\ncheck_retain_source false\n', false],
    ['check_retain_source true\n', true],
  ])('check_retain_source holds where there are rules: %j', (text, expected) => {
    expect(read(text).document['checkRetainSource']).toBe(expected)
  })

  test('persistence has a folder of its own beside the file that Mosquitto has', () => {
    const { document } = read('persistence true\npersistence_location /var/lib/mosquitto/\n')
    expect(document).toMatchObject({ persistence: true, data: '/var/lib/mosquitto/mosquitto.db.pipit' })
  })

  test.each([
    ['', { level: 'info' }],
    [
      'log_type error\nlog_type warning\nlog_dest file /a b.log\nlog_dest stdout\n',
      { level: 'warn', file: '/a b.log', stdout: true, stderr: false },
    ],
    [
      'log_dest syslog\nlog_facility 5\n',
      { level: 'info', syslog: true, stderr: false, syslogFacility: 'local5' },
    ],
    ['log_dest syslog\nlog_dest none\n', { level: 'info', stderr: false }],
    ['log_type all\nlog_type none\n', { level: 'none' }],
    [
      'log_dest topic\nlog_dest none\nconnection_messages false\n',
      { level: 'info', stderr: false, connections: false },
    ],
    [
      'log_timestamp_format %H:%M\nlog_timestamp 0\n',
      { level: 'info', timestamp: false, timestampFormat: '%H:%M' },
    ],
  ])('logging: %j', (text, log) => {
    expect(read(text).document['log']).toEqual(log)
  })

  test('files of include_dir stand in its place, each outside of every listener', () => {
    const folder = ['b.conf', 'B.conf', 'a.conf', '01.conf', 'A.conf'].map((name, i) => ({
      name: `d/${name}`,
      text: `listener ${i + 1} ::1\n`,
    }))
    const { document } = read('listener 9 ::1\ninclude_dir d\nmax_qos 1\n', { d: folder })
    expect(document['listeners']).toMatchObject([
      { port: 9, maximumQoS: 1 },
      { port: 4 },
      { port: 5 },
      { port: 3 },
      { port: 2 },
      { port: 1 },
    ])
  })

  test('a bridge', () => {
    const text = `${LINK.replace('h', 'h 10.0.0.1:1884 ::1:1885')}topic # both 2 l/ r/
topic a/b
topic "" in 1 here there
try_private false
restart_timeout 2 9
keepalive_interval 1
bridge_cafile ca
bridge_insecure true
bridge_tls_version tlsv1.3
username u
password p p
`
    expect(read(text).document['links']).toEqual([
      {
        name: 'b',
        addresses: ['h:1883', '10.0.0.1:1884', '[::1]:1885'],
        topics: [
          { pattern: '#', direction: 'both', qos: 2, localPrefix: 'l/', remotePrefix: 'r/' },
          { pattern: 'a/b', direction: 'out', qos: 0 },
          { direction: 'in', qos: 1, localPrefix: 'here', remotePrefix: 'there' },
        ],
        remoteClientId: 'here.b',
        localClientId: 'local.here.b',
        remoteUsername: 'u',
        remotePassword: 'p p',
        cleanSession: false,
        localCleanSession: false,
        version: '3.1.1',
        bridgeBit: false,
        keepAlive: 5,
        restartSeconds: 2,
        restartMaximumSeconds: 9,
        tls: { ca: 'ca', anyName: true, version: 'TLSv1.3' },
      },
    ])
  })

  test('a bridge with a pre-shared key', () => {
    const { document } = read(`${LINK}topic a\nbridge_identity here\nbridge_psk 00ff\nbridge_alpn mqtt\n`)
    expect(document['links']).toMatchObject([{ tls: { pskIdentity: 'here', psk: '00ff', alpn: 'mqtt' } }])
  })

  test('what is not supported is named with its line, and what it is there for', () => {
    const text =
      'listener 1 ::1\ntls_engine x\nauth_plugin /a.so\nauth_opt_key v\nlog_dest dlt\nqueue_qos0_messages true\ncheck_retain_source false\n'
    expect(read(text).unsupported).toEqual([
      'm.conf:2: tls_engine is not supported. Keys come from files; OpenSSL 3 advises against engines.',
      'm.conf:3: auth_plugin is not supported. Plugins are machine code for Mosquitto.',
      'm.conf:4: auth_opt_key is not supported. It belongs to a plugin.',
      'm.conf:5: log_dest dlt is not supported: it is the tool of cars; a file, stdout, stderr, syslog and topic are',
    ])
  })
})

describe('what stays unsupported', () => {
  const TLS = 'listener 1 ::1\ncertfile c\nkeyfile k\n'
  test.each([
    ['plugin /x.so\n', 'm.conf:1: plugin is not supported. Plugins are machine code for Mosquitto.'],
    ['plugin_opt_a b\n', 'm.conf:1: plugin_opt_a is not supported. It belongs to a plugin.'],
    [
      'auth_plugin_deny_special_chars true\n',
      'm.conf:1: auth_plugin_deny_special_chars is not supported. It belongs to a plugin.',
    ],
    [
      'tls_engine_kpass_sha1 x\n',
      'm.conf:1: tls_engine_kpass_sha1 is not supported. It belongs to an engine.',
    ],
    [
      `${TLS}tls_keyform engine\n`,
      'm.conf:4: tls_keyform engine is not supported; keys come from files, and OpenSSL 3 advises against engines',
    ],
    [
      `${TLS}tls_version tlsv1.1\n`,
      'm.conf:4: tls_version tlsv1.1 is not supported: OpenSSL 3 speaks it only at its security level 0; tlsv1.2 and tlsv1.3 are',
    ],
    [
      'psk_file p\nlistener 1 ::1\npsk_hint h\ntls_version tlsv1.3\n',
      'm.conf:4: tls_version tlsv1.3 is not supported with psk_hint; pre-shared keys are those of TLS 1.2 here',
    ],
    [
      `${LINK}topic a\nbridge_cafile c\nbridge_tls_version tlsv1.1\n`,
      'm.conf:5: bridge_tls_version tlsv1.1 is not supported: OpenSSL 3 speaks it only at its security level 0; tlsv1.2 and tlsv1.3 are',
    ],
    [
      `${LINK}topic a\nbridge_require_ocsp true\n`,
      'm.conf:4: bridge_require_ocsp true is not supported; Node gives the stapled answer and nothing that checks it',
    ],
  ])('%j: with its line and the reason', (text, line) => {
    expect(read(text).unsupported).toEqual([line])
  })
})

describe('faults', () => {
  test.each([
    ['allow_anonymos true\n', 'm.conf:1: there is no option "allow_anonymos"; did you mean allow_anonymous?'],
    ['\n  # x\n', "m.conf:2: a comment's # has to be the first character of its line"],
    [
      'allow_anonymous\ttrue\n',
      'm.conf:1: "allow_anonymous\\ttrue": between a name and its value stands a space',
    ],
    ['allow_anonymous yes\n', 'm.conf:1: allow_anonymous is yes; it takes true or false'],
    ['password_file\n', 'm.conf:1: password_file says nothing; it takes the rest of the line'],
    ['password_file a\npassword_file b\n', 'm.conf:2: password_file is said twice; first in m.conf:1'],
    [
      'max_packet_size 19\n',
      'm.conf:1: max_packet_size is 19; it takes a whole number from 20 to 2147483647',
    ],
    [
      'max_queued_messages abc\n',
      'm.conf:1: max_queued_messages is abc; it takes a whole number up to 2147483647',
    ],
    ['listener x\n', 'm.conf:1: listener is x; it takes a port from 0 to 65535 first'],
    ['listener 0\n', 'm.conf:1: listener 0 takes the path of a unix socket behind it'],
    ['listener 1\nprotocol http\n', 'm.conf:2: protocol is http; it takes mqtt or websockets'],
    ['listener 1\ncertfile c\n', 'm.conf:2: keyfile is missing; TLS listeners need certfile and keyfile'],
    ['listener 1\npsk_hint h\n', 'm.conf:2: psk_file is missing'],
    ['include_dir x\n', 'm.conf:1: include_dir x: there is no such folder'],
    ['topic a\n', 'm.conf:1: topic belongs to a bridge; "connection NAME" comes first'],
    ['connection b\ntopic a\n', 'm.conf:1: connection b has no address'],
    [LINK, 'm.conf:1: connection b has no topic'],
    [`${LINK}topic a up\n`, 'm.conf:3: topic a up: up is no direction; out, in and both are'],
    [
      `${LINK}topic "" out 1 a\n`,
      'm.conf:3: topic "" out 1 a: an empty pattern takes a local and a remote prefix: the two topics',
    ],
    [
      `${LINK}topic a\nrestart_timeout 9 2\n`,
      'm.conf:4: restart_timeout is 9 2; it takes seconds, or a lowest and a highest number of them',
    ],
    [`${LINK}topic a\nbridge_psk 00\n`, 'm.conf:4: bridge_identity is missing; a pre-shared key needs both'],
    [
      `${LINK}topic a\nbridge_psk 00\nbridge_identity i\nbridge_cafile ca\n`,
      'm.conf:6: a connection has either certificates or a pre-shared key',
    ],
    [`${LINK}topic a\n${LINK}topic a\n`, 'm.conf:4: connection b is there already, in m.conf:1'],
    [
      'acl_file a\nper_listener_settings true\n',
      'm.conf:2: per_listener_settings comes before what it is about: move it up',
    ],
    [
      'persistent_client_expiration 3x\n',
      'm.conf:1: persistent_client_expiration is 3x; it takes a whole number and one of h, d, w, m, y, such as 14d',
    ],
    [
      'log_dest screen\n',
      'm.conf:1: log_dest is screen; it takes none, stdout, stderr, syslog, topic, or file and its path',
    ],
  ])('%j', (text, fault) => {
    expect(faultsOf(text)).toContain(fault)
  })

  test('all of them, not the first one', () => {
    expect(faultsOf('a\nb\nmax_qos 3\n')).toHaveLength(3)
  })
})

test('the table names what Mosquitto knows by several names', () => {
  const aliases = MOSQUITTO_OPTIONS.filter((row) => row.alias !== undefined).map((row) => row.name)
  expect(aliases).toEqual([
    'addresses',
    'clientid',
    'maximum_qos',
    'password',
    'retained_persistence',
    'username',
  ])
})
