/** What a value may be: one word that is true or false, a whole number, the rest of the line, one word of a list,
 *  or words that their option takes apart itself. */
export type ValueKind =
  | { readonly kind: 'flag' }
  | { readonly kind: 'whole'; readonly lowest?: number; readonly highest?: number }
  | { readonly kind: 'text' }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'words'; readonly phrase: string }

/** Where an option belongs: to the broker; to authentication and access, which `per_listener_settings` gives to
 *  each listener; to the listener, the bridge or the plugin that stands above it; or to the file itself. */
export type Scope = 'broker' | 'security' | 'listener' | 'bridge' | 'plugin' | 'file'

/** What becomes of it here: it is obeyed; there is nothing to do for it, because what it asks for holds anyway or
 *  because Mosquitto does nothing for it either; or start-up stops. */
export type Fate = 'obeyed' | 'moot' | 'unsupported'

/** One option of mosquitto.conf(5). */
export interface MosquittoOption {
  readonly name: string
  /** The name it is another one of: `username` is `remote_username`. */
  readonly alias?: string
  readonly scope: Scope
  readonly value: ValueKind
  /** Mosquitto's default, for people. */
  readonly fallback: string
  readonly fate: Fate
  /** What it is here, or why it is nothing. */
  readonly text: string
}

type Row = readonly [name: string, value: ValueKind, fallback: string, text: string, fate?: Fate]

const flag: ValueKind = { kind: 'flag' }
const text: ValueKind = { kind: 'text' }
const whole = (lowest?: number, highest?: number): ValueKind => ({
  kind: 'whole',
  ...(lowest !== undefined && { lowest }),
  ...(highest !== undefined && { highest }),
})
const choice = (...choices: string[]): ValueKind => ({ kind: 'choice', choices })
const words = (phrase: string): ValueKind => ({ kind: 'words', phrase })
const INT = 2_147_483_647

const FILE: readonly Row[] = [
  ['include_dir', text, 'none', 'Read: its files that end in `.conf`, in the order that Mosquitto has.'],
]

const BROKER: readonly Row[] = [
  ['allow_duplicate_messages', flag, 'false', 'A client gets one copy, whatever its subscriptions.', 'moot'],
  ['autosave_interval', whole(), '1800', 'What was acknowledged is on the disk at once.', 'moot'],
  ['autosave_on_changes', flag, 'false', 'What was acknowledged is on the disk at once.', 'moot'],
  ['check_retain_source', flag, 'true', '`checkRetainSource`, which is `true` where there is an `acl_file`.'],
  ['clientid_prefixes', text, 'none', '`access.clientIdPrefix`.'],
  ['connection_messages', flag, 'true', '`log.connections`.'],
  [
    'log_dest',
    words('none, stdout, stderr, syslog, topic, or file and its path'),
    'stderr',
    '`log.stderr`, `log.stdout`, `log.file`, `log.syslog`, `log.topic`. `dlt`, the tool of cars, is not supported.',
  ],
  ['log_facility', whole(0, 7), 'daemon', '`log.syslogFacility`: `local0` to `local7`.'],
  ['log_timestamp', flag, 'true', '`log.timestamp`.'],
  ['log_timestamp_format', text, 'seconds since 1970', '`log.timestampFormat`.'],
  [
    'log_type',
    choice(
      'debug',
      'error',
      'warning',
      'notice',
      'information',
      'subscribe',
      'unsubscribe',
      'internal',
      'websockets',
      'none',
      'all',
    ),
    'error, warning, notice, information',
    '`log.level`: the finest of those that are named.',
  ],
  ['max_inflight_bytes', whole(undefined, INT), '0', '`limits.inflightBytes`.'],
  ['max_inflight_messages', whole(undefined, 65535), '20', '`limits.inflight`.'],
  ['max_keepalive', whole(0, 65535), '65535', '`limits.keepAlive`.'],
  ['max_packet_size', whole(20, INT), 'none', '`limits.maximumPacketSize`.'],
  ['max_queued_bytes', whole(undefined, INT), '0', '`limits.queuedBytes`.'],
  ['max_queued_messages', whole(undefined, INT), '1000', '`limits.queuedMessages`.'],
  ['memory_limit', whole(0), '0', '`limits.memory`: what is held for clients, not the program itself.'],
  ['message_size_limit', whole(0, 268435455), '0', '`limits.payloadSize`.'],
  ['per_listener_settings', flag, 'false', 'Obeyed.'],
  ['persistence', flag, 'false', '`persistence`.'],
  ['persistence_file', text, 'mosquitto.db', 'The last part of `data`: our folder is named after it.'],
  ['persistence_location', text, 'the current folder', 'The first part of `data`.'],
  [
    'persistent_client_expiration',
    words('a whole number and one of h, d, w, m, y, such as 14d'),
    'never',
    '`limits.sessionExpiryInterval`.',
  ],
  ['pid_file', text, 'none', '`pidFile`.'],
  ['queue_qos0_messages', flag, 'false', '`queueQoS0`.'],
  ['retain_available', flag, 'true', '`retainAvailable`.'],
  ['retry_interval', words('anything'), 'none', 'Mosquitto does nothing for it either.', 'moot'],
  ['set_tcp_nodelay', flag, 'false', '`noDelay` of each listener. Where nothing is said it is on here.'],
  ['sys_interval', whole(0, 65535), '10', '`sysInterval`.'],
  ['upgrade_outgoing_qos', flag, 'false', '`upgradeQoS`.'],
  ['user', text, 'mosquitto', '`user`: when started as root, the broker becomes this user once it listens.'],
  ['websockets_log_level', whole(), '0', 'For the library that Mosquitto uses.', 'moot'],
  ['websockets_headers_size', whole(0, 65535), '1024', '`headerBytes`, which is never less than 8192.'],
]

const SECURITY: readonly Row[] = [
  ['acl_file', text, 'none', '`access.aclFile`.'],
  [
    'allow_anonymous',
    flag,
    'false; true without any listener',
    '`access.anonymous`; `true` is `insecure` too.',
  ],
  ['allow_zero_length_clientid', flag, 'true', '`emptyClientId`.'],
  ['auto_id_prefix', text, 'auto-', '`assignedClientIdPrefix`.'],
  ['password_file', text, 'none', '`access.passwordFile`.'],
  ['psk_file', text, 'none', '`tls.pskFile` of the listeners that have a `psk_hint`.'],
]

const PLUGIN: readonly Row[] = [
  ['auth_plugin', text, 'none', 'Plugins are machine code for Mosquitto.', 'unsupported'],
  ['auth_plugin_deny_special_chars', flag, 'true', 'It belongs to a plugin.', 'unsupported'],
  ['plugin', text, 'none', 'Plugins are machine code for Mosquitto.', 'unsupported'],
]

const LISTENER: readonly Row[] = [
  ['bind_address', text, 'none', '`host` of the first listener.'],
  ['bind_interface', text, 'none', '`host`: the addresses that the interface has at start.'],
  ['cafile', text, 'none', '`tls.ca`.'],
  ['capath', text, 'none', '`tls.caFolder`.'],
  ['certfile', text, 'none', '`tls.certificate`.'],
  ['ciphers', text, 'those of OpenSSL', '`tls.ciphers`.'],
  ['ciphers_tls1.3', text, 'those of OpenSSL', '`tls.ciphers`.'],
  ['crlfile', text, 'none', '`tls.crl`.'],
  ['dhparamfile', text, 'none', '`tls.dhParameters`.'],
  ['http_dir', text, 'none', '`httpFolder` of a listener with `protocol websockets`.'],
  ['keyfile', text, 'none', '`tls.key`.'],
  ['listener', words('a port and perhaps an address, or 0 and the path of a unix socket'), 'none', 'Obeyed.'],
  ['max_connections', whole(undefined, INT), '-1', '`maximumConnections`.'],
  ['max_qos', whole(0, 2), '2', '`maximumQoS`.'],
  ['max_topic_alias', whole(0, 65535), '10', '`topicAliasMaximum`.'],
  ['mount_point', text, 'none', '`mountPoint`.'],
  ['port', whole(1, 65535), '1883', '`port` of the first listener.'],
  ['protocol', choice('mqtt', 'websockets'), 'mqtt', '`type`.'],
  ['psk_hint', text, 'none', '`tls.pskHint`.'],
  ['require_certificate', flag, 'false', '`tls.requireCertificate`.'],
  ['socket_domain', choice('ipv4', 'ipv6'), 'both', '`host`: `0.0.0.0`, `::` for IPv6 alone.'],
  ['tls_engine', text, 'none', 'Keys come from files; OpenSSL 3 advises against engines.', 'unsupported'],
  ['tls_engine_kpass_sha1', text, 'none', 'It belongs to an engine.', 'unsupported'],
  [
    'tls_keyform',
    choice('pem', 'engine'),
    'pem',
    '`pem` is what holds here; `engine` is not supported: OpenSSL 3 advises against engines.',
  ],
  [
    'tls_version',
    choice('tlsv1.3', 'tlsv1.2', 'tlsv1.1'),
    'tlsv1.2',
    '`tls.minimumVersion`; `tlsv1.1` is not supported: OpenSSL 3 speaks it only at its security level 0.',
  ],
  ['use_identity_as_username', flag, 'false', '`tls.identityAsUsername`.'],
  ['use_subject_as_username', flag, 'false', '`tls.subjectAsUsername`.'],
  ['use_username_as_clientid', flag, 'false', '`usernameAsClientId`.'],
]

const BRIDGE: readonly Row[] = [
  ['address', words('host or host:port, one or several'), 'none', '`addresses`.'],
  ['bridge_alpn', text, 'none', '`tls.alpn`.'],
  ['bridge_attempt_unsubscribe', flag, 'true', '`unsubscribes`.'],
  ['bridge_bind_address', text, 'none', '`bindAddress`.'],
  ['bridge_cafile', text, 'none', '`tls.ca`.'],
  ['bridge_capath', text, 'none', '`tls.caFolder`.'],
  ['bridge_certfile', text, 'none', '`tls.certificate`.'],
  ['bridge_identity', text, 'none', '`tls.pskIdentity`.'],
  ['bridge_insecure', flag, 'false', '`tls.anyName`: the name in the certificate is not checked.'],
  ['bridge_keyfile', text, 'none', '`tls.key`.'],
  ['bridge_max_packet_size', whole(undefined, INT), '0', '`maximumPacketSize`.'],
  ['bridge_outgoing_retain', flag, 'true', '`outgoingRetain`.'],
  ['bridge_protocol_version', choice('mqttv31', 'mqttv311', 'mqttv50'), 'mqttv311', '`version`.'],
  ['bridge_psk', text, 'none', '`tls.psk`.'],
  [
    'bridge_require_ocsp',
    flag,
    'false',
    '`false` is what holds here; `true` is not supported: Node gives the stapled answer and nothing that checks it.',
  ],
  [
    'bridge_tls_version',
    choice('tlsv1.3', 'tlsv1.2', 'tlsv1.1'),
    'tlsv1.2',
    '`tls.version`; `tlsv1.1` is not supported, as above.',
  ],
  ['cleansession', flag, 'false', '`cleanSession`.'],
  ['connection', words('a name'), 'none', '`name`: begins a link.'],
  ['idle_timeout', whole(undefined, INT), '60', '`idleTimeout`.'],
  ['keepalive_interval', whole(undefined, 65535), '60', '`keepAlive`.'],
  ['local_cleansession', flag, 'as cleansession', '`localCleanSession`.'],
  ['local_clientid', text, 'local. and the remote one', '`localClientId`.'],
  ['local_password', text, 'none', '`localPassword`.'],
  ['local_username', text, 'none', '`localUsername`.'],
  ['notification_topic', text, '$SYS/broker/connection/…/state', '`notificationTopic`.'],
  ['notifications', flag, 'true', '`notifications`.'],
  ['notifications_local_only', flag, 'false', '`notificationsLocalOnly`.'],
  ['remote_clientid', text, 'hostname.name', '`remoteClientId`.'],
  ['remote_password', text, 'none', '`remotePassword`.'],
  ['remote_username', text, 'none', '`remoteUsername`.'],
  [
    'restart_timeout',
    words('seconds, or a lowest and a highest number of them'),
    '5 30',
    '`restartSeconds`.',
  ],
  ['round_robin', flag, 'false', '`roundRobin`.'],
  ['start_type', choice('automatic', 'lazy', 'once'), 'automatic', '`start`.'],
  ['threshold', whole(undefined, INT), '10', '`threshold`.'],
  [
    'topic',
    words('a pattern, then perhaps a direction, a QoS, a local and a remote prefix'),
    'none',
    '`topics`.',
  ],
  ['try_private', flag, 'true', '`bridgeBit`.'],
]

const ALIASES: readonly (readonly [alias: string, name: string])[] = [
  ['addresses', 'address'],
  ['clientid', 'remote_clientid'],
  ['maximum_qos', 'max_qos'],
  ['password', 'remote_password'],
  ['retained_persistence', 'persistence'],
  ['username', 'remote_username'],
]

const SCOPES: readonly (readonly [Scope, readonly Row[]])[] = [
  ['file', FILE],
  ['broker', BROKER],
  ['security', SECURITY],
  ['plugin', PLUGIN],
  ['listener', LISTENER],
  ['bridge', BRIDGE],
]

const NAMED: readonly MosquittoOption[] = SCOPES.flatMap(([scope, rows]) =>
  rows.map(([name, value, fallback, said, fate = 'obeyed']) => ({
    name,
    scope,
    value,
    fallback,
    fate,
    text: said,
  })),
)

/** Every option that Mosquitto 2.0 knows: the reader's checks and the guide's page are made of this table.
 *  `auth_opt_…` and `plugin_opt_…` stand for any name that begins so. */
export const MOSQUITTO_OPTIONS: readonly MosquittoOption[] = [
  ...NAMED,
  ...ALIASES.flatMap(([alias, name]) =>
    NAMED.filter((row) => row.name === name).map((row) => ({ ...row, name: alias, alias: name })),
  ),
].sort((a, b) => (a.name < b.name ? -1 : 1))

const PLUGIN_VALUE: Omit<MosquittoOption, 'name'> = {
  scope: 'plugin',
  value: text,
  fallback: 'none',
  fate: 'unsupported',
  text: 'It belongs to a plugin.',
}

/** The option of a name; undefined when Mosquitto has none of it. */
export function mosquittoOption(name: string): MosquittoOption | undefined {
  if (/^(auth|plugin)_opt_./.test(name)) return { name, ...PLUGIN_VALUE }
  return MOSQUITTO_OPTIONS.find((row) => row.name === name)
}
