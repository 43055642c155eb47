import { program } from '../interop.ts'
import { BrokerProcess } from './brokers.ts'

/** Redis and Valkey, as far as they are installed (apt-get install redis-server). */
export const redisPrograms = ['redis-server', 'valkey-server'].flatMap((name) => {
  const path = program(name)
  return path === undefined ? [] : [{ name, path }]
})

/** A Redis of its own on loopback, which keeps everything on disk before it answers.
 *  @param options beside that, `--name value`
 *  @param path default: the first that is installed */
export function redisProcess(
  port: number,
  folder: string,
  options: readonly string[] = [],
  path: string | undefined = redisPrograms[0]?.path,
): BrokerProcess {
  if (path === undefined) throw new Error('no Redis is installed (apt-get install redis-server)')
  const given = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '']
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always']
  return new BrokerProcess(port, [path, ...given, ...durable, ...options], 'Ready to accept')
}
