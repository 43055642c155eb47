import { OPTIONS, type OptionRow, phraseOf, variableOf } from '../src/config/table.ts'

const FRONT = `# The configuration file

\`pipit broker --config FILE\` reads a YAML file. Every key is optional; a key that does not exist, or a value that does not fit, stops the start with its line and what would be right:

\`pipit.yaml:12: limits.queuedMessages is "many"; it takes a number from 0 on\`

<!-- from: docs/guide/pipit.yaml -->
\`\`\`yaml
EXAMPLE
\`\`\`

The first line gives editors that speak YAML completion and checks: the schema is \`schema/pipit.schema.json\` in the package \`@pipit/broker\`.

## Who wins

An option of the command is stronger than the environment, and that is stronger than the file. Every key but the lists has an environment variable, and \`--set KEY=VALUE\` on the command line. With \`--port\` or \`--bind\` the file's \`listeners\` are left out.

## Signals

- **SIGHUP** reads the file again. The table says what counts *at once*, what for *new connections*, and what only after a *restart*; the broker names what it took and what it did not. A file with a mistake changes nothing. A listener that is gone from the file is closed, and its connections stay.
- **SIGTERM** and **SIGINT** end the broker: clients of MQTT 5.0 are told 0x8B (server shutting down), sessions are kept, and the exit code is 0.
`

/** The guide to the configuration file, made of the table of options. */
export function configurationGuide(example: string): string {
  const general = OPTIONS.filter(({ key }) => !key.includes('.'))
  const inSection = (section: string) => OPTIONS.filter(({ key }) => key.startsWith(`${section}.`))
  const lists = OPTIONS.flatMap(entriesOf)
  return [
    FRONT.replace('EXAMPLE', example.trimEnd()),
    '## Options\n',
    tableOf(general),
    '\n## Limits\n',
    tableOf(inSection('limits')),
    '\n## Access\n',
    'See [the guide to security](security.md).\n',
    tableOf(inSection('access')),
    '\n## Log\n',
    'Lines for people, of the command `pipit broker`. Without a word about it, `--log-level` says what is logged.\n',
    tableOf(inSection('log')),
    '\n## Audit\n',
    "See [the guide to Mosquitto's files](mosquitto.md#who-came-and-did-what).\n",
    tableOf(inSection('audit')),
    ...lists.flatMap(({ key, rows }) => [`\n## Each of \`${key}\`\n`, tableOf(rows, false)]),
    '',
  ].join('\n')
}

/** Tables of a row's entries, and of theirs. */
function entriesOf({ key, type }: OptionRow): { key: string; rows: readonly OptionRow[] }[] {
  if (type.kind !== 'list' && type.kind !== 'section') return []
  // The keys of `access` have a table.
  if (key.endsWith('access')) return []
  const inner = type.of.flatMap((row) => entriesOf({ ...row, key: `${key}.${row.key}` }))
  return [{ key, rows: type.of }, ...inner]
}

function tableOf(rows: readonly OptionRow[], hasVariables = true): string {
  const head = [
    'key',
    'takes',
    'default',
    'meaning',
    ...(hasVariables ? ['a change counts', 'environment'] : []),
  ]
  const lines = rows.map((row) => {
    const { key, type, fallback, text, reload } = row
    const start = [`\`${key}\``, phraseOf(type), fallback === undefined ? '' : `\`${fallback}\``, text]
    const variable = type.kind === 'list' || type.kind === 'texts' ? '' : `\`${variableOf(key)}\``
    return [...start, ...(hasVariables ? [reload, variable] : [])]
  })
  const cells = [head, head.map(() => '---'), ...lines]
  return cells.map((row) => `| ${row.join(' | ')} |`).join('\n')
}
