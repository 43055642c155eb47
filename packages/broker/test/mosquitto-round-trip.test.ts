import { configurationOf, fromMosquitto, settingsFromYaml } from '@pipit/broker'
import { expect, test } from 'vitest'
import { stringify } from 'yaml'

// What `pipit config from-mosquitto` prints is read as what it means.

const CONF = `per_listener_settings true
check_retain_source true
log_dest syslog
log_dest file /var/log/m.log
log_facility 2
max_inflight_bytes 1000
memory_limit 2000000
queue_qos0_messages true
upgrade_outgoing_qos true
websockets_headers_size 20000
listener 1883 127.0.0.1
allow_anonymous true
mount_point "house"/
listener 8080 127.0.0.1
protocol websockets
http_dir /srv/my page
listener 8884 127.0.0.1
psk_file /keys
psk_hint who: are you?
use_identity_as_username true
connection c
address 127.0.0.1:8885
topic # out 1
bridge_identity yes
bridge_psk 0011
`

test('the options of a mosquitto.conf, through YAML, are those of a broker', () => {
  const host = { hostname: 'here', ipv6: true, addressesOf: () => [] }
  const { document, unsupported, warnings } = fromMosquitto({ name: 'm.conf', text: CONF }, () => [], host)
  expect({ unsupported, warnings }).toEqual({ unsupported: [], warnings: [] })
  const yaml = stringify(document, { lineWidth: 0 })
  const { options, listeners, program } = configurationOf(settingsFromYaml(yaml, 'y'))
  expect(options).toEqual({
    checkRetainSource: true,
    queueQoS0: true,
    upgradeQoS: true,
    overflowPolicy: 'drop-newest',
    limits: { inflightBytes: 1000, memory: 2_000_000 },
  })
  const host4 = { host: '127.0.0.1' }
  expect(listeners).toEqual([
    { type: 'tcp', ...host4, port: 1883, mountPoint: '"house"/', access: { anonymous: true } },
    {
      type: 'websocket',
      ...host4,
      port: 8080,
      httpFolder: '/srv/my page',
      headerBytes: 20_000,
      access: { anonymous: false },
    },
    {
      type: 'tcp',
      ...host4,
      port: 8884,
      tls: { pskFile: '/keys', pskHint: 'who: are you?', identityAsUsername: true },
      access: { anonymous: false },
    },
  ])
  expect(program).toMatchObject({
    log: { level: 'info', stderr: false, syslog: true, syslogFacility: 'local2', file: '/var/log/m.log' },
    links: [{ name: 'c', tls: { pskIdentity: 'yes', psk: '0011' } }],
  })
})
