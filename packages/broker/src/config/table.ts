import { DEFAULT_LIMITS, type Limits } from '../options.ts'

/** What a value may be. */
export type OptionType =
  | { readonly kind: 'number'; readonly lowest: number; readonly highest?: number; readonly whole?: true }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'text' }
  | { readonly kind: 'choice'; readonly choices: readonly (string | number | boolean)[] }
  | { readonly kind: 'texts' }
  | { readonly kind: 'list'; readonly of: readonly OptionRow[] }
  | { readonly kind: 'section'; readonly of: readonly OptionRow[] }

/** When a changed value counts, after the configuration is read again: at once, for connections made from then on,
 *  or only after a restart. */
export type Reload = 'at once' | 'new connections' | 'restart'

/** One option of the configuration file. */
export interface OptionRow {
  /** With dots: `limits.queuedMessages`. */
  readonly key: string
  readonly type: OptionType
  /** Undefined: none, or said in `text`. */
  readonly fallback?: string | number | boolean
  readonly text: string
  readonly reload: Reload
  /** Its value is never shown. */
  readonly secret?: true
}

const count: OptionType = { kind: 'number', lowest: 0 }
const whole = (lowest: number, highest: number): OptionType => ({
  kind: 'number',
  lowest,
  highest,
  whole: true,
})
const choice = (...choices: (string | number | boolean)[]): OptionType => ({ kind: 'choice', choices })
const flag: OptionType = { kind: 'boolean' }
const text: OptionType = { kind: 'text' }

const texts: OptionType = { kind: 'texts' }

/** Rows of an entry, which change with it. */
function rows(
  of: readonly (readonly [string, OptionType, string | number | boolean | undefined, string])[],
  reload: Reload = 'at once',
): OptionRow[] {
  return of.map(([key, type, fallback, said]) => ({
    key,
    type,
    text: said,
    reload,
    ...(fallback !== undefined && { fallback }),
    ...(/^passphrase$|^psk$|Password$/.test(key) && { secret: true as const }),
  }))
}

const CERTIFICATE = rows([
  ['certificate', text, undefined, 'The PEM file of the certificate, followed by those up to its authority.'],
  ['key', text, undefined, 'The PEM file of its key.'],
  ['passphrase', text, undefined, 'Of an encrypted key.'],
])

const TLS_VERSION = choice('TLSv1.2', 'TLSv1.3')

/** How a listener speaks TLS. */
const TLS: readonly OptionRow[] = [
  ...CERTIFICATE,
  ...rows([
    [
      'certificates',
      { kind: 'list', of: CERTIFICATE },
      undefined,
      'Further ones, chosen by the name that a client asks for (SNI).',
    ],
    ['ca', text, undefined, 'The PEM file of the authorities of client certificates.'],
    ['caFolder', text, undefined, 'A folder of such files.'],
    ['requireCertificate', flag, false, 'Clients have to show a certificate of one of the authorities.'],
    [
      'identityAsUsername',
      flag,
      false,
      "The common name of a client's certificate, or the identity of its pre-shared key, is its user name.",
    ],
    ['subjectAsUsername', flag, false, 'As before, with the whole subject: `CN=a,O=b`.'],
    ['crl', text, undefined, 'The PEM file of the certificates that are revoked.'],
    ['minimumVersion', TLS_VERSION, 'TLSv1.2', 'The oldest version of TLS.'],
    ['maximumVersion', TLS_VERSION, 'TLSv1.3', 'The newest version of TLS.'],
    ['ciphers', text, undefined, "As OpenSSL names them; without it, Node's."],
    ['dhParameters', text, undefined, 'The PEM file of Diffie-Hellman parameters, or `auto`.'],
    ['pskFile', text, undefined, 'Pre-shared keys: lines IDENTITY:KEY, the key in hexadecimal.'],
    ['pskHint', text, undefined, 'Told to clients that ask which of their keys to use.'],
    ['handshakeTimeoutMs', whole(1, 600_000), 10_000, 'How long a handshake may take, milliseconds.'],
  ]),
]

/** Who may come in and do what. */
const ACCESS: readonly OptionRow[] = rows(
  [
    [
      'anonymous',
      flag,
      undefined,
      'Clients without user name and certificate may come in. Without it: when there is no passwordFile, jwt or http.',
    ],
    ['passwordFile', text, undefined, 'Users and their passwords, by `pipit passwd` or `mosquitto_passwd`.'],
    [
      'aclFile',
      text,
      undefined,
      "Who may do what: in Mosquitto's format, or in YAML when its name ends in .yaml or .yml. Without one: everything.",
    ],
    [
      'clientIdPrefix',
      text,
      undefined,
      'What a Client Identifier has to begin with. Otherwise: CONNACK 0x87.',
    ],
    [
      'jwt',
      {
        kind: 'section',
        of: rows(
          [
            [
              'keys',
              text,
              undefined,
              'A URL or file of a JSON Web Key Set, or the PEM file of a public key.',
            ],
            ['issuer', text, undefined, 'What `iss` has to be.'],
            ['audience', text, undefined, 'What `aud` has to hold.'],
            ['algorithms', texts, undefined, 'Those allowed; without it, all of RSA, EC and Ed25519.'],
            ['usernameClaim', text, 'sub', 'The claim that is the user name.'],
            [
              'clientIdClaim',
              text,
              'client_id',
              'The claim that the Client Identifier has to match; `*` is any text.',
            ],
            ['aclClaim', text, 'acl', 'The claim that holds ACL rules, such as `["read a/#", "write b"]`.'],
            ['cacheSeconds', count, 600, 'How long keys from a URL are kept.'],
            ['toleranceSeconds', count, 5, 'How far clocks may differ.'],
          ],
          'at once',
        ),
      },
      undefined,
      'JSON Web Tokens, given as the password.',
    ],
    [
      'http',
      {
        kind: 'section',
        of: rows(
          [
            ['url', text, undefined, 'Is sent `{clientId, username, password, remoteAddress}`; 200 lets in.'],
            ['aclUrl', text, undefined, 'Is sent `{clientId, username, access, topic}`; 200 allows.'],
            [
              'timeoutMs',
              whole(1, 600_000),
              5000,
              'How long an answer may take, milliseconds. Beyond: CONNACK 0x88.',
            ],
            ['cacheSeconds', count, 30, 'How long an answer is remembered.'],
          ],
          'at once',
        ),
      },
      undefined,
      'A service that is asked with POST and JSON.',
    ],
  ],
  'at once',
)

const DURABILITY = choice('always', 'interval', 'off')

/** One place where clients come in. */
const LISTENER: readonly OptionRow[] = rows([
  [
    'type',
    choice('tcp', 'websocket', 'unix'),
    'tcp',
    'What is spoken: MQTT on TCP, MQTT over WebSocket, or MQTT on a unix socket.',
  ],
  [
    'port',
    whole(0, 65535),
    undefined,
    'The port; 0 takes a free one. Default 1883, with TLS 8883, for WebSocket 8080.',
  ],
  ['host', text, '127.0.0.1', 'The address; `0.0.0.0` or `::` for all of them.'],
  ['ipv6Only', flag, false, 'On an IPv6 address, leave IPv4 alone: `::` is otherwise both.'],
  [
    'path',
    text,
    undefined,
    "The unix socket's file. For WebSocket the path of the URL; without it any will do.",
  ],
  [
    'mode',
    whole(0, 777),
    undefined,
    "Permissions of the unix socket's file as three octal digits, such as `660`; without it, what the umask leaves.",
  ],
  ['noDelay', flag, true, 'Send small packets at once (TCP_NODELAY).'],
  [
    'tcpKeepAliveMs',
    whole(0, 7_200_000),
    0,
    'TCP keep-alive probes after this much silence, milliseconds; 0: none.',
  ],
  ['backlog', whole(1, 65535), 511, 'Connections that the kernel may hold before they are accepted.'],
  [
    'proxyProtocol',
    choice(false, true, 1, 2),
    false,
    'Connections begin with a PROXY header that names the client: of version 1, of version 2, or of either (`true`). Others are closed.',
  ],
  ['proxyTimeoutMs', whole(1, 600_000), 5000, 'How long the PROXY header may take, milliseconds.'],
  [
    'handshakeTimeoutMs',
    whole(1, 600_000),
    10_000,
    'How long a connection may take to become a WebSocket, milliseconds.',
  ],
  [
    'httpFolder',
    text,
    undefined,
    'Of a WebSocket listener: a folder whose files anybody who reaches the port may GET, `index.html` for a folder. Links that lead out of it, and names that begin with a dot, are not there.',
  ],
  [
    'headerBytes',
    whole(1024, 65_536),
    8192,
    'Of a WebSocket listener: what the headers of a request may have.',
  ],
  ['tls', { kind: 'section', of: TLS }, undefined, 'Speak TLS.'],
  [
    'access',
    { kind: 'section', of: ACCESS },
    undefined,
    "Who may come in here and do what, instead of the broker's `access`.",
  ],
  [
    'insecure',
    flag,
    undefined,
    'Listen on an address beyond this machine without passwords or TLS. Without it: as `insecure` says.',
  ],
  [
    'maximumConnections',
    whole(1, 10_000_000),
    undefined,
    'Connections at a time through this listener; more are closed.',
  ],
  ['maximumQoS', choice(0, 1, 2), undefined, "The highest QoS here, where it is below the broker's."],
  [
    'topicAliasMaximum',
    whole(0, 65535),
    undefined,
    'Topic Aliases accepted from one client. Without it: as `limits.topicAliasMaximum` says.',
  ],
  ['emptyClientId', flag, undefined, 'As the option of the broker, for clients that come in here.'],
  ['assignedClientIdPrefix', text, undefined, 'As the option of the broker, for clients that come in here.'],
  [
    'mountPoint',
    text,
    undefined,
    "What stands before every topic of the clients that come in here: `house/` makes their `a` others' `house/a`, and they see nothing else. ACLs have whole topics.",
  ],
  [
    'usernameAsClientId',
    flag,
    false,
    "A client's user name is its Client Identifier, whatever it sends. One without a user name: CONNACK 0x87.",
  ],
])

const LINK_TOPIC = rows([
  ['pattern', text, undefined, 'A Topic Filter; without it one topic, whose names are the two prefixes.'],
  ['direction', choice('out', 'in', 'both'), 'out', 'From here to there, from there to here, or both.'],
  ['qos', choice(0, 1, 2), 0, 'The highest QoS.'],
  ['localPrefix', text, undefined, 'What stands before the pattern here.'],
  ['remotePrefix', text, undefined, 'What stands before the pattern there.'],
])

const LINK_TLS = rows([
  ['ca', text, undefined, "The PEM file of the authorities; without it, the system's."],
  ['caFolder', text, undefined, 'A folder of such files.'],
  ['certificate', text, undefined, 'The PEM file of our certificate, where one is asked for.'],
  ['key', text, undefined, 'The PEM file of its key.'],
  [
    'pskIdentity',
    text,
    undefined,
    'The identity of a pre-shared key, which takes the place of certificates.',
  ],
  ['psk', text, undefined, 'The key, in hexadecimal.'],
  ['alpn', text, undefined, 'The protocol that is named in the handshake.'],
  ['anyName', flag, false, 'Do not compare the name in the certificate with the address.'],
  ['version', TLS_VERSION, 'TLSv1.2', 'The oldest version of TLS.'],
])

const seconds = (lowest: number): OptionType => ({ kind: 'number', lowest, highest: 1_000_000 })

/** A link to another broker. */
const LINK = rows(
  [
    ['name', text, undefined, 'What it is called.'],
    ['addresses', texts, undefined, '`host:port` of the other broker, and of others that stand in for it.'],
    ['topics', { kind: 'list', of: LINK_TOPIC }, undefined, 'What is carried.'],
    ['remoteClientId', text, undefined, 'Without it: the name.'],
    ['localClientId', text, undefined, 'Without it: `local.` and the remote one.'],
    ['remoteUsername', text, undefined, 'Who the link is there.'],
    ['remotePassword', text, undefined, 'Its password.'],
    ['localUsername', text, undefined, 'What the link is called here; it may do everything.'],
    ['localPassword', text, undefined, 'Not asked for.'],
    ['cleanSession', flag, false, 'The session there ends with each connection.'],
    [
      'localCleanSession',
      flag,
      undefined,
      'The session here ends with the link. Without it: as `cleanSession`.',
    ],
    ['version', choice('3.1', '3.1.1', '5.0'), '5.0', 'The version of MQTT.'],
    ['bridgeBit', flag, true, 'Say that it is a bridge, as Mosquitto does.'],
    ['notifications', flag, true, 'Say on a topic whether the link is up: 1 or 0, retained.'],
    ['notificationsLocalOnly', flag, false, 'Say so here only.'],
    ['notificationTopic', text, undefined, 'Without it: `$SYS/broker/connection/REMOTE CLIENT ID/state`.'],
    ['keepAlive', whole(0, 65535), 60, 'Seconds.'],
    [
      'start',
      choice('automatic', 'lazy', 'once'),
      'automatic',
      'Always connected; from `threshold` messages on until nothing has come for `idleTimeout`; or until the connection is lost.',
    ],
    ['idleTimeout', seconds(1), 60, 'Seconds.'],
    ['threshold', whole(1, 1000), 10, 'Messages.'],
    ['restartSeconds', seconds(0), 5, 'Between attempts; without `restartMaximumSeconds` always so many.'],
    ['restartMaximumSeconds', seconds(0), 30, 'The most that the growing, random delay becomes.'],
    ['roundRobin', flag, false, 'All addresses are alike; otherwise the first is the one to go back to.'],
    ['unsubscribes', flag, true, 'Unsubscribe there from what is only carried out.'],
    ['outgoingRetain', flag, true, 'Keep the RETAIN flag of what is carried out.'],
    ['bindAddress', text, undefined, 'The address of this machine to connect from.'],
    ['maximumPacketSize', whole(1, 268435460), undefined, 'Bytes of what is carried out; more is dropped.'],
    ['tls', { kind: 'section', of: LINK_TLS }, undefined, 'Speak TLS.'],
  ],
  'restart',
)

const LOG = rows(
  [
    ['log.level', choice('none', 'error', 'warn', 'info'), 'info', 'From which level on.'],
    ['log.stderr', flag, true, 'On stderr.'],
    ['log.stdout', flag, false, 'On stdout.'],
    ['log.file', text, undefined, 'Into this file, which is opened again on SIGHUP.'],
    ['log.syslog', flag, false, "In the system's log, by the program `logger` of util-linux."],
    [
      'log.syslogFacility',
      choice(
        'daemon',
        'user',
        'local0',
        'local1',
        'local2',
        'local3',
        'local4',
        'local5',
        'local6',
        'local7',
      ),
      'daemon',
      "What it is filed under in the system's log.",
    ],
    ['log.topic', flag, false, 'On the topics `$SYS/broker/log/E`, `W` and `N`.'],
    ['log.timestamp', flag, true, 'Each line begins with the time.'],
    [
      'log.timestampFormat',
      text,
      undefined,
      'As strftime(3) has it, such as `%Y-%m-%dT%H:%M:%S`; without it, seconds since 1970.',
    ],
    ['log.connections', flag, true, 'Lines about clients that come and go.'],
  ],
  'at once',
)

const AUDIT = rows(
  [
    [
      'audit.file',
      text,
      undefined,
      'JSON lines about who came in, who was refused and why, who may not do what, and what operators did. Opened again on SIGHUP.',
    ],
    [
      'audit.denialsPerSecond',
      whole(0, 1_000_000),
      10,
      'Lines a second about what one client may not do, and about one address that is not let in; more are counted.',
    ],
  ],
  'restart',
)

const BY_FILTER: readonly OptionRow[] = [
  { key: 'filter', type: text, text: 'Topics that match it.', reload: 'restart' },
  { key: 'durability', type: DURABILITY, text: 'Their durability.', reload: 'restart' },
]

const GENERAL: readonly OptionRow[] = [
  {
    key: 'listeners',
    type: { kind: 'list', of: LISTENER },
    reload: 'at once',
    text: 'Where clients come in. Without it: TCP on port 1883 of 127.0.0.1 and ::1.',
  },
  {
    key: 'insecure',
    type: flag,
    fallback: false,
    reload: 'restart',
    text: 'Let listeners on addresses beyond this machine do without passwords or TLS.',
  },
  {
    key: 'links',
    type: { kind: 'list', of: LINK },
    reload: 'restart',
    text: 'Other brokers that topics are carried to and from.',
  },
  {
    key: 'persistence',
    type: flag,
    fallback: true,
    reload: 'restart',
    text: 'Keep in `data` what is to survive a restart; `false`: everything is in memory.',
  },
  {
    key: 'data',
    type: text,
    fallback: './pipit-data',
    reload: 'restart',
    text: 'The folder for what is to survive a restart.',
  },
  {
    key: 'durability',
    type: DURABILITY,
    fallback: 'always',
    reload: 'restart',
    text: 'When a message that has to survive is acknowledged: `always`, once it is on the disk; `interval`, at once, with the disk behind it by `durabilityIntervalMs`; `off`: messages are kept in memory only.',
  },
  {
    key: 'durabilityIntervalMs',
    type: whole(1, 3_600_000),
    fallback: 1000,
    reload: 'restart',
    text: 'Milliseconds between commits when `durability` is `interval`.',
  },
  {
    key: 'durabilityByFilter',
    type: { kind: 'list', of: BY_FILTER },
    reload: 'restart',
    text: 'Other durability for topics that match a filter; the first that matches counts.',
  },
  {
    key: 'overflowPolicy',
    type: choice('drop-oldest', 'drop-newest', 'disconnect', 'refuse'),
    fallback: 'drop-oldest',
    reload: 'at once',
    text: "What happens to a message that finds a session's queue full. `refuse` tells the publisher (0x97).",
  },
  {
    key: 'queueQoS0',
    type: flag,
    fallback: false,
    reload: 'at once',
    text: 'Keep QoS 0, too, for a client that is away and has a session.',
  },
  {
    key: 'upgradeQoS',
    type: flag,
    fallback: false,
    reload: 'at once',
    text: 'Send at the QoS of the subscription what was published at a lower one, which MQTT does not do.',
  },
  {
    key: 'sharedStrategy',
    type: choice('round-robin', 'random', 'sticky'),
    fallback: 'round-robin',
    reload: 'restart',
    text: 'How shared subscriptions choose the member for a message.',
  },
  {
    key: 'checkPayloadFormat',
    type: flag,
    fallback: false,
    reload: 'at once',
    text: 'Check that a payload announced as UTF-8 is UTF-8; otherwise 0x99.',
  },
  {
    key: 'strict',
    type: flag,
    fallback: true,
    reload: 'restart',
    text: 'Refuse control characters and non-characters in strings (MQTT 5.0, 1.5.4).',
  },
  {
    key: 'emptyClientId',
    type: flag,
    fallback: true,
    reload: 'at once',
    text: 'Accept clients that send an empty Client Identifier; they are given one.',
  },
  {
    key: 'assignedClientIdPrefix',
    type: text,
    fallback: 'auto-',
    reload: 'restart',
    text: 'What the Client Identifiers begin with that clients are given.',
  },
  {
    key: 'pidFile',
    type: text,
    reload: 'restart',
    text: "A file for the process's number while it runs.",
  },
  {
    key: 'user',
    type: text,
    reload: 'restart',
    text: 'Started as root, become this user once the listeners are open.',
  },
  ...LOG,
  ...AUDIT,
  {
    key: 'maximumQoS',
    type: choice(0, 1, 2),
    fallback: 2,
    reload: 'restart',
    text: 'The highest QoS; below 2 it is announced.',
  },
  {
    key: 'checkRetainSource',
    type: flag,
    fallback: false,
    reload: 'restart',
    text: 'Do not show retained messages of clients that may, by the ACL, no longer publish them.',
  },
  {
    key: 'retainAvailable',
    type: flag,
    fallback: true,
    reload: 'restart',
    text: 'Accept retained messages; `false` is announced.',
  },
  {
    key: 'reasonStrings',
    type: flag,
    fallback: false,
    reload: 'at once',
    text: 'Send Reason Strings with refusals, to clients that want them.',
  },
  {
    key: 'responseInformation',
    type: text,
    reload: 'new connections',
    text: 'Response Information for clients that ask for it (MQTT 5.0, 3.2.2.3.15).',
  },
  {
    key: 'sysInterval',
    type: { kind: 'number', lowest: 0, highest: 86_400 },
    fallback: 10,
    reload: 'at once',
    text: 'Seconds between updates of the topics `$SYS/broker/…`; 0: there are none.',
  },
  {
    key: 'trace',
    type: flag,
    fallback: false,
    reload: 'restart',
    text: 'Tell the times of a PUBLISH with the User Property `pipit-trace` on `$SYS/broker/trace/…`, for `pipit trace`.',
  },
]

type LimitRow = readonly [name: keyof Limits, text: string, type?: OptionType, reload?: Reload]

const LATER: Reload = 'new connections'

const LIMITS: readonly LimitRow[] = [
  [
    'maximumPacketSize',
    'Bytes of one packet, fixed header included. Beyond: DISCONNECT 0x95. Announced when below the default.',
    whole(1, 268435460),
    LATER,
  ],
  ['payloadSize', "Bytes of a message's payload. Beyond: not delivered, PUBACK 0x83."],
  [
    'connectPacketSize',
    'Bytes of the first packet, before the client is known. Beyond: closed. Where clients have to log in, the default is 4096.',
    whole(1, 268435460),
    LATER,
  ],
  ['topicLevels', 'Levels of a Topic Name or Filter. Beyond: DISCONNECT 0x81.'],
  ['clientIdLength', 'Bytes of a Client Identifier. Beyond: CONNACK 0x85.'],
  ['sessions', 'Sessions held. Beyond: CONNACK 0x97.'],
  ['connections', 'Connections at a time. Beyond: CONNACK 0x89.'],
  ['connectionsPerAddress', 'Connections at a time from one address. Beyond: closed at once.'],
  ['connectionsPerUser', 'Connections at a time of one user. Beyond: CONNACK 0x97.'],
  ['subscriptionsPerClient', 'Subscriptions of one session. Beyond: SUBACK 0x97.'],
  [
    'inflight',
    'QoS 1 and 2 messages in flight to one client, whatever its Receive Maximum allows.',
    whole(1, 65535),
    LATER,
  ],
  [
    'inflightBytes',
    'Bytes of payloads in flight to one client at QoS 1 and 2: with so many, nothing more is sent to it until some are acknowledged. 0: no limit.',
  ],
  [
    'receiveMaximum',
    'QoS 1 and 2 messages unacknowledged from one client; announced when below 65535. Beyond: DISCONNECT 0x93.',
    whole(1, 65535),
    LATER,
  ],
  [
    'topicAliasMaximum',
    'Topic Aliases accepted from one client; announced when above 0. Beyond: DISCONNECT 0x94.',
    whole(0, 65535),
    LATER,
  ],
  [
    'topicAliasesOut',
    'Topic Aliases assigned to one client, as far as it takes them.',
    whole(0, 65535),
    LATER,
  ],
  ['queuedMessages', 'Messages queued for one session. Beyond: `overflowPolicy`.'],
  ['queuedBytes', 'Bytes queued for one session. Beyond: `overflowPolicy`.'],
  [
    'queuedMessagesInAll',
    'Messages queued for all sessions together. Beyond: `overflowPolicy` of the session that would get one more.',
  ],
  [
    'queuedBytesInAll',
    'Bytes queued for all sessions together. Beyond: `overflowPolicy` of the session that would get more.',
  ],
  ['retainedMessages', 'Retained messages. Beyond: PUBACK 0x97, not retained.'],
  ['retainedBytes', 'Bytes of retained messages. Beyond: PUBACK 0x97, not retained.'],
  [
    'memory',
    'Bytes of messages that the broker holds for all clients: queued, in flight, retained, and in outputs that are not taken. Beyond: a client that publishes more is disconnected (0x97), and receivers get less. 0: no limit.',
  ],
  ['outputBytes', 'Bytes that wait for one slow receiver; QoS 0 messages beyond are dropped and counted.'],
  [
    'slowReceiverTimeout',
    'Seconds that a receiver may take nothing while bytes wait for it. Beyond: closed.',
  ],
  ['connectTimeout', "Seconds from a connection's begin to its CONNECT. Beyond: closed."],
  [
    'keepAlive',
    'Seconds; a client that asks for more, or for none, gets this as Server Keep Alive. 0: no limit.',
    whole(0, 65535),
    LATER,
  ],
  [
    'sessionExpiryInterval',
    'Seconds that any session is kept without its client; 4294967295: for ever.',
    whole(0, 4294967295),
    LATER,
  ],
  [
    'connectionRate',
    "Connections a second from one address, or one IPv6 network of 64 bits. Beyond: closed, before any TLS. 0: no limit. The default is not for this machine's own.",
  ],
  [
    'pendingPerAddress',
    "Connections at a time from one address, or one IPv6 network, that have not logged in, TLS and WebSocket handshakes included. Beyond: closed. The default is not for this machine's own.",
  ],
  [
    'messageRate',
    'Messages a second from one client: beyond, it is read more slowly. 0: no limit.',
    count,
    LATER,
  ],
  ['byteRate', 'Bytes a second from one client: beyond, it is read more slowly. 0: no limit.', count, LATER],
  [
    'rateTimeout',
    'Seconds that a client may send faster than its rate without a pause. Beyond: DISCONNECT 0x96. 0: no limit.',
  ],
]

/** Rows with the names of their sections in front: `access.jwt.keys`. */
function flattened(prefix: string, of: readonly OptionRow[]): OptionRow[] {
  return of.flatMap((row) => {
    const key = `${prefix}.${row.key}`
    return row.type.kind === 'section' ? flattened(key, row.type.of) : [{ ...row, key }]
  })
}

/** Every option of the configuration file: the file's checks, its JSON Schema, the environment variables and the
 *  guide are made of this table. */
export const OPTIONS: readonly OptionRow[] = [
  ...GENERAL,
  ...LIMITS.map(([name, description, type = count, reload = 'at once' as const]) => ({
    key: `limits.${name}`,
    type,
    fallback: DEFAULT_LIMITS[name],
    text: description,
    reload,
  })),
  ...flattened('access', ACCESS),
]

/** Sections of the file: `limits`, `access`, `access.jwt`… */
export const SECTIONS: ReadonlySet<string> = new Set(
  OPTIONS.flatMap(({ key }) => {
    const names = key.split('.').slice(0, -1)
    return names.map((_, i) => names.slice(0, i + 1).join('.'))
  }),
)

export function optionRow(key: string): OptionRow | undefined {
  return OPTIONS.find((row) => row.key === key)
}

/** `limits.queuedMessages` as `PIPIT_LIMITS_QUEUED_MESSAGES`. */
export function variableOf(key: string): string {
  // QoS is one word.
  const words = key.replace('QoS', 'Qos').replaceAll('.', '_')
  return `PIPIT_${words.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}

/** What a value of a type is, as a phrase: `a number from 0 on`. */
export function phraseOf(type: OptionType): string {
  switch (type.kind) {
    case 'number': {
      const what = type.whole === true ? 'a whole number' : 'a number'
      return type.highest === undefined
        ? `${what} from ${type.lowest} on`
        : `${what} from ${type.lowest} to ${type.highest}`
    }
    case 'boolean':
      return 'true or false'
    case 'text':
      return 'text'
    case 'choice':
      return `${type.choices.slice(0, -1).join(', ')} or ${type.choices.at(-1)}`
    case 'texts':
      return 'a list of texts'
    case 'list':
      return 'a list'
    case 'section':
      return 'keys and values'
  }
}
