import { MOSQUITTO_OPTIONS, type MosquittoOption } from '@pipit/broker'

const FRONT = `# Mosquitto's files

A \`mosquitto.conf\` with its password file and its ACL file starts Pipit's broker as it is: the same doors, locked the same way.

<!-- run by: packages/cli/test/mosquitto-guide.test.ts -->
\`\`\`sh
pipit broker -c mosquitto.conf --test-config
pipit config from-mosquitto mosquitto.conf
pipit broker -c mosquitto.conf
\`\`\`

The first checks the file and the files that it names, and ends with 0, or with 1 and a line for each fault. The second prints the same as YAML, for [\`pipit broker --config\`](configuration.md). The third starts the broker. A file is taken for a \`mosquitto.conf\` when its name ends in \`.conf\`; when it ends in neither that nor \`.yaml\`, \`.yml\` or \`.json\`, by its first line that says something.

<!-- from: docs/guide/mosquitto.conf -->
\`\`\`text
EXAMPLE
\`\`\`

An option that is not supported is named with its line, and nothing starts; \`--ignore-unsupported\` goes on without it. A value that does not fit is refused with its line and what would be right. What opens the broker to the network without passwords or TLS is obeyed, because the file says so in words, and said on stderr.

**SIGHUP** reads the file again, with the password files, ACLs and certificates, and opens the log file and the audit log anew. The broker says what it took and what counts only after a restart.

## Bridges

A \`connection\` becomes a link: a client of both brokers, in the broker's own process. A message is acknowledged to the broker it came from only after the other one has acknowledged it, and both sessions outlive their connections. So at QoS 1 and 2 nothing is lost, whichever end goes away. At QoS 2 it is also carried once, even if the broker with the link is killed in between: with a data folder the link remembers there which message became which, until both sides are done with it (not with \`cleansession\`). Mosquitto 2.0.11 may itself repeat at QoS 2 when it is restarted. When that folder cannot be written, messages stay with their sender, and the link begins anew by itself, after a second and then less and less often, a minute at most.

What keeps messages from going around: the bridge's bit in CONNECT (\`try_private\`, for Mosquitto and for us, at either end), No Local in MQTT 5.0, and a User Property \`pipit-hop\` that each link adds with its name: a message that a link has carried before is not carried again, in a circle of any number of brokers. MQTT 3 has no User Properties: between MQTT 3 brokers that do not know the bridge's bit, two topics that lead back to each other go around for ever, as with Mosquitto.

Links can be written in YAML too, under \`links\` in [the configuration file](configuration.md), and embedded: \`new Link(…)\` of \`@pipit/links\`.

The local end of a link may do everything, whatever the ACL says, as with Mosquitto. \`local_username\` is what it is called in logs; \`local_password\` is not asked for.

## Who came and did what

\`audit.file\` in the configuration file, or \`--set audit.file=audit.jsonl\` with a \`mosquitto.conf\`, writes JSON lines: \`connect\`, \`disconnect\`, \`refused\` (with reason code and reason), \`turned away\` (before CONNECT, such as a failed handshake), \`denied\` (with the rule), \`reload\` and \`administration\`. Denials of one client are limited to ten a second, and the rest is counted. The broker never waits for the disk: what does not fit its buffer of 1 MiB is dropped and counted. No line holds a password, and nothing that a client says can begin a line of its own.

## What differs from Mosquitto 2.0.11, and why

- **\`allow_anonymous false\` without any \`listener\`** is obeyed. Mosquitto lets everyone on this machine in all the same.
- **Options of the default listener without \`port\` or \`listener\`**, such as \`max_connections\` alone: Mosquitto then listens on every address and lets everyone in. Here nobody comes in unless \`allow_anonymous true\` says so.
- **A number that is none** (\`max_queued_messages many\`) is refused with its line; Mosquitto takes it for 0, which often means no limit. So is a second word behind a value that takes one.
- **Limits that the file does not name** are ours, which are wider: Mosquitto queues 1,000 messages a client and has 20 in flight, unless told otherwise.
- **\`persistence true\`** means here that what was acknowledged is on the disk; Mosquitto writes every half hour and at its end. The data is in a folder of its own beside Mosquitto's file, which is neither read nor changed.
- **A wrong password** is told to MQTT 3 clients with return code 4 (bad user name or password); Mosquitto says 5 (not authorised).
- **\`max_keepalive\`** holds for MQTT 3 clients too, which cannot be told; Mosquitto lets them be.
- **\`max_connections\`** is the number of connections at a time; more are closed. Mosquitto 2.0.11 lets in one more.
- **\`check_retain_source\`** is true by default where there is an \`acl_file\`, as the manual says; in Mosquitto 2.0.11 it is false. It asks the ACL, not a service or a token that has run out. After a restart it is not known through which listener somebody came: with \`per_listener_settings\`, the rules of one of them have to allow it.
- **\`mount_point\`** is taken away from topics that go to the clients, as the manual says; Mosquitto 2.0.11 leaves it on (2.0.12 does not). UNSUBSCRIBE and shared subscriptions are within it here. A session that comes in through another listener than the one where it subscribed gets only what is below the prefix. A filter whose wildcard the prefix would break (\`#\` behind a prefix without a slash) is refused.
- **\`http_dir\`** gives files with their types; names that begin with a dot are not there. Mosquitto names no type and gives those too.
- **\`max_inflight_bytes\`** holds as the manual says. Mosquitto 2.0.11 lets more go.
- **\`queue_qos0_messages true\`**: messages at QoS 0 count for \`max_queued_messages\`, as the manual says. Mosquitto 2.0.11 counts those at QoS 1 and 2 only.
- **\`memory_limit\`** counts what is held for clients: queued, in flight and retained messages, and outputs that are not taken. Mosquitto counts itself and its connections too. A receiver gets less, and is not disconnected.
- **\`log_dest syslog\`** goes through the program \`logger\` of util-linux: Node opens no socket of the kind that \`/dev/log\` is. The name there is \`pipit\`, and lines have no time of ours in front.
- **\`log_type\`** chooses between three levels; the lines are our own.
- **\`user\`** counts when it is said; Mosquitto becomes \`mosquitto\` by itself when root starts it.

## Every option

`

/** The guide to Mosquitto's files, with the table of its options. */
export function mosquittoGuide(example: string): string {
  const titles: readonly (readonly [MosquittoOption['scope'], string])[] = [
    ['file', 'Files'],
    ['broker', 'The broker'],
    ['security', 'Authentication and access (of each listener with `per_listener_settings`)'],
    ['listener', 'Listeners'],
    ['bridge', 'Bridges: keys of `links`'],
    ['plugin', 'Plugins'],
  ]
  const tables = titles.map(([scope, title]) => `### ${title}\n\n${tableOf(scope)}\n`)
  return FRONT.replace('EXAMPLE', example.trimEnd()) + tables.join('\n')
}

const FATES: Readonly<Record<MosquittoOption['fate'], string>> = {
  obeyed: 'obeyed',
  moot: 'nothing to do',
  unsupported: '**not supported**',
}

function tableOf(scope: MosquittoOption['scope']): string {
  const rows = MOSQUITTO_OPTIONS.filter((row) => row.scope === scope).map(
    ({ name, alias, fallback, fate, text }) =>
      alias === undefined
        ? `| \`${name}\` | ${fallback} | ${FATES[fate]} | ${text} |`
        : `| \`${name}\` | | ${FATES[fate]} | As \`${alias}\`. |`,
  )
  return ['| option | default of Mosquitto | | here |', '| --- | --- | --- | --- |', ...rows].join('\n')
}
