import { setTimeout as pause } from 'node:timers/promises'
import type { Client, ClientBase, DatabaseError, Pool } from 'pg'
import { BridgeError, EngineUnavailableError, EngineUnsuitableError } from '../errors.ts'
import { type DatabaseAddress, readAddress } from './address.ts'
import { migrate } from './schema.ts'
import { Sql } from './sql.ts'

/** What a transaction needs: `durable`: on the disk when it settles; `written`: soon after, in the same order. */
export type Need = 'durable' | 'written'

const CONNECTIONS = 8
/** How long to wait for a connection, a new one or one of the pool. */
const CONNECT_TIMEOUT_MS = 3_000
/** How long a statement may take; the server gives up first, so that it does not go on without us. */
const STATEMENT_TIMEOUT_MS = 10_000
const ANSWER_TIMEOUT_MS = 12_000
/** How long a transaction may say nothing: a process that is suspended in one holds up all others. */
const SILENCE_TIMEOUT_MS = 5_000
/** Tries of a transaction that others were in the way of. */
const TRIES = 5
/** Two transactions that wait for each other, or could not have happened one after the other. */
const IN_THE_WAY: ReadonlySet<string> = new Set(['40P01', '40001'])

/** Connections to PostgreSQL: made when they are needed, a few at most, and made again when they were lost. */
export class Connections {
  private readonly address: DatabaseAddress
  private readonly log: (line: string) => void
  private pool: Promise<Pool> | undefined = undefined
  private readonly prepared = new WeakSet<ClientBase>()
  private migrating: Promise<void> | undefined = undefined
  private readonly running = new Set<Promise<unknown>>()
  private isClosed = false
  private hasWarned = false

  /** @throws TypeError for an address that is not right */
  constructor(address: string, log: (line: string) => void) {
    this.address = readAddress(address)
    this.log = log
  }

  get schema(): string {
    return this.address.schema
  }

  /** Runs statements, each on its own. @throws EngineUnavailableError */
  read<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.run(work)
  }

  /** Runs statements in one transaction. @param told an SQL statement with which it ends, when it succeeds
   *  @throws EngineUnavailableError, also when it is not known whether the transaction was committed */
  write<T>(need: Need, work: (sql: Sql) => Promise<T>, told = ''): Promise<T> {
    const begin = need === 'durable' ? 'BEGIN' : 'BEGIN; SET LOCAL synchronous_commit = off'
    return this.run(async (sql) => {
      for (let tries = 1; ; tries++) {
        await sql.batch(begin)
        try {
          const value = await work(sql)
          await sql.batch(`${told}COMMIT`)
          return value
        } catch (error) {
          if (!isOfStatement(error)) throw error
          await sql.batch('ROLLBACK')
          if (!IN_THE_WAY.has(codeOf(error)) || tries === TRIES) throw error
          await pause(Math.random() * 20 * tries)
        }
      }
    })
  }

  /** A connection beside the pool, which its caller ends. */
  async single(): Promise<Client> {
    const { Client } = await import('pg')
    const client = new Client(this.options())
    client.on('error', () => {})
    await client.connect()
    return client
  }

  /** Settles when what was begun is over. */
  async close(): Promise<void> {
    this.isClosed = true
    await Promise.allSettled(this.running)
    const pool = this.pool
    this.pool = undefined
    await (await pool)?.end()
  }

  private run<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const run = this.isClosed ? Promise.reject(new Error('it has been closed')) : this.withClient(work)
    const running = run.catch((error: unknown) => {
      throw error instanceof BridgeError
        ? error
        : new EngineUnavailableError(`the database: ${messageOf(error)}`, error)
    })
    this.running.add(running)
    const over = (): boolean => this.running.delete(running)
    running.then(over, over)
    return running
  }

  private async withClient<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const pool = await (this.pool ??= this.open())
    const client = await pool.connect()
    let isBroken = true
    try {
      const sql = new Sql(client)
      await this.prepare(client, sql)
      isBroken = false
      return await work(sql)
    } catch (error) {
      // One that could not be prepared may hold the lock of the migrations.
      isBroken ||= !isOfStatement(error)
      throw error
    } finally {
      client.release(isBroken)
    }
  }

  private async open(): Promise<Pool> {
    const { Pool } = await import('pg')
    const pool = new Pool({ ...this.options(), max: CONNECTIONS, idleTimeoutMillis: 60_000 })
    // A connection that is lost while nobody works over it is made anew when somebody does.
    pool.on('error', () => {})
    pool.on('connect', (client) => client.on('error', () => {}))
    return pool
  }

  private options() {
    return {
      connectionString: this.address.connectionString,
      application_name: 'pipit-bridge',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: ANSWER_TIMEOUT_MS,
      keepAlive: true,
    }
  }

  /** What is said once over each connection. A server that commits without waiting for its disk is asked to wait. */
  private async prepare(client: ClientBase, sql: Sql): Promise<void> {
    if (!this.prepared.has(client)) {
      await sql.batch(`SET search_path TO "${this.schema}"; SET statement_timeout = ${STATEMENT_TIMEOUT_MS};
        SET idle_in_transaction_session_timeout = ${SILENCE_TIMEOUT_MS};
        SET standard_conforming_strings = on; SET default_transaction_isolation = 'read committed';
        SELECT set_config('synchronous_commit', 'on', false)
          WHERE current_setting('synchronous_commit') = 'off'`)
      await this.examine(sql)
      this.prepared.add(client)
    }
    this.migrating ??= migrate(sql, this.schema)
    try {
      await this.migrating
    } catch (error) {
      this.migrating = undefined
      throw error
    }
  }

  /** @throws EngineUnsuitableError for a database that cannot hold every topic */
  private async examine(sql: Sql): Promise<void> {
    const row = await sql.get(
      "SELECT current_setting('fsync') AS fsync, current_setting('server_encoding') AS encoding",
    )
    if (row?.['encoding'] !== 'UTF8') {
      throw new EngineUnsuitableError(
        `the database: its encoding is ${row?.['encoding']}; it takes one of UTF8, which holds every topic`,
      )
    }
    if (row['fsync'] !== 'off' || this.hasWarned) return
    this.hasWarned = true
    this.log('PostgreSQL runs with fsync = off: a power cut may lose or damage what was stored')
  }
}

function codeOf(error: unknown): string {
  return (error as Partial<DatabaseError>).code ?? ''
}

/** The server has refused one statement, and takes the next one over the same connection. A server that only reads
 *  (25006) is not the one that is wanted: the next connection may come to the other. */
function isOfStatement(error: unknown): boolean {
  if (error instanceof BridgeError) return true
  const { severity, code } = error as Partial<DatabaseError>
  return severity === 'ERROR' && code !== '25006'
}

/** Several addresses of one name that all refuse come as an error without words. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}
