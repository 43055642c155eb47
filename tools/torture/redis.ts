import { program } from '../interop.ts'
import { BrokerProcess } from './brokers.ts'

/** Redis, or Valkey, where it is installed (apt-get install redis-server). */
export const redisProgram = program('redis-server') ?? program('valkey-server')

/** A Redis of its own on loopback, which keeps everything on disk before it answers.
 *  @param options beside that, `--name value` */
export function redisProcess(port: number, folder: string, ...options: string[]): BrokerProcess {
  if (redisProgram === undefined) throw new Error('no Redis is installed (apt-get install redis-server)')
  const given = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '']
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always']
  return new BrokerProcess(port, [redisProgram, ...given, ...durable, ...options], 'Ready to accept')
}
