/** Who may import whom: the table of the house, which `tools/check-layers` enforces. */
export interface PackageRule {
  /** What other packages import it as. */
  readonly name: string
  /** Packages (by folder) that it may import, in its tests too. */
  readonly imports: readonly string[]
  /** Packages of which it may import types only. */
  readonly typesOf?: readonly string[]
  /** Files and folders below `src` that may import `node:` modules; tests may anywhere. */
  readonly node: 'anywhere' | readonly string[]
  /** Dependencies at run time from npm; absent: its package.json decides. */
  readonly dependencies?: readonly string[]
  /** Files and folders below `src`, from the bottom up; the longest name that fits counts. One may import what stands before it, never what
   *  stands behind it; those within one pair of brackets do not import each other. Every folder must be
   *  here; files directly in `src` that are not stand on top. */
  readonly layers: readonly (string | readonly string[])[]
  /** Pairs of which the first may name types of the second, above it; or `anywhere`, for a package of objects that
   *  know each other in circles: then only what is imported at run time has to go downward. */
  readonly typesUpward?: 'anywhere' | readonly (readonly [string, string])[]
}

export const PACKAGES: Readonly<Record<string, PackageRule>> = {
  protocol: {
    name: '@pipit/protocol',
    imports: [],
    node: [],
    dependencies: [],
    layers: ['errors', 'codec/utf8', 'topics', 'codec', 'session', 'small'],
    typesUpward: [['errors', 'codec']],
  },
  client: {
    name: '@pipit/client',
    imports: ['protocol'],
    node: [
      'node-platform',
      'store/file',
      'transport/node-stream',
      'transport/proxy',
      'transport/tcp',
      'transport/tls',
      'transport/unix',
      'transport/websocket-node',
    ],
    dependencies: [],
    layers: ['errors', ['transport', 'store']],
  },
  broker: {
    name: '@pipit/broker',
    imports: ['protocol'],
    node: 'anywhere',
    layers: [
      ['files', 'network', 'printable'],
      'options',
      [
        'audit',
        'metrics',
        'listeners',
        'buffer-pool',
        'hooks',
        'local',
        'throttle',
        'admission',
        'turn',
        'notices',
      ],
      'config',
      'mosquitto',
      'output',
      'routing',
      'sessions',
      ['auth', 'retained', 'storage'],
      'cluster',
      'sender',
      'handlers',
      'connection',
      'broker',
    ],
    // A route knows its receivers, a session its connection, a handler whom it answers: objects they are given.
    typesUpward: 'anywhere',
  },
  device: {
    name: '@pipit/device',
    imports: ['client', 'protocol'],
    node: ['node'],
    dependencies: [],
    layers: [
      'clock',
      'link',
      'message',
      'wire',
      'reconnect',
      'configuration',
      'simulation',
      'client',
      'cycle',
      ['lights', 'sensors'],
      ['dialects', 'discovery'],
      'fleet',
    ],
  },
  links: {
    name: '@pipit/links',
    imports: ['client', 'protocol'],
    node: ['link-run', 'passage-store', 'remote'],
    dependencies: [],
    layers: [
      'options',
      'link-place',
      ['topic-map', 'hops', 'passage-store', 'remote'],
      'carrier',
      'link-run',
    ],
  },
  bridge: {
    name: '@pipit/bridge',
    imports: ['client', 'protocol'],
    node: 'anywhere',
    layers: ['errors', 'engine', ['sqlite', 'redis', 'postgres'], 'worker', 'api'],
  },
  collectors: {
    name: '@pipit/collectors',
    imports: ['client', 'protocol'],
    node: 'anywhere',
    dependencies: ['@bufbuild/protobuf'],
    layers: ['store', 'collector', ['mesh', 'lightning']],
  },
  console: {
    name: '@pipit/console',
    imports: ['client', 'protocol'],
    typesOf: ['broker'],
    node: ['api'],
    layers: [['api', 'web']],
  },
  cli: {
    name: 'pipit',
    imports: ['protocol', 'client', 'broker', 'device', 'links', 'bridge', 'collectors', 'console'],
    node: 'anywhere',
    layers: [],
  },
}
