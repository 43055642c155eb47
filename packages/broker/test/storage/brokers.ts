import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { Broker, type BrokerOptions } from '../../src/index.ts'
import { temporaryFolder } from './kit.ts'

export interface Running {
  readonly broker: Broker
  readonly port: number
  readonly data: string
  /** What an operator was told. */
  readonly said: string[]
}

const running: Running[] = []

/** A broker of this process on a free port, ended with the test. */
export async function startBroker(options: BrokerOptions & { data: string }): Promise<Running> {
  const said: string[] = []
  const say = (_: object, line: string): void => void said.push(line)
  const broker = new Broker({ logger: { info: () => undefined, warn: say, error: say }, ...options })
  const { port } = await broker.listen({ port: 0, host: '127.0.0.1' })
  const each = { broker, port, data: options.data, said }
  running.push(each)
  return each
}

/** The data folder as a SIGKILL at this moment would leave it. */
export function afterKill({ data }: Pick<Running, 'data'>): string {
  const copy = join(temporaryFolder(), 'data')
  cpSync(data, copy, { recursive: true })
  return copy
}

afterEach(async () => {
  await Promise.all(running.splice(0).map(({ broker }) => broker.close()))
})
