import type { ClientBase } from 'pg'
import type { Row } from '../engine/rows.ts'

/** Statements over one connection. */
export class Sql {
  private readonly client: ClientBase

  constructor(client: ClientBase) {
    this.client = client
  }

  /** @returns how many rows changed */
  async run(text: string, ...values: unknown[]): Promise<number> {
    return (await this.client.query(text, values)).rowCount ?? 0
  }

  async get(text: string, ...values: unknown[]): Promise<Row | undefined> {
    return (await this.all(text, ...values))[0]
  }

  async all(text: string, ...values: unknown[]): Promise<readonly Row[]> {
    return (await this.client.query<Record<string, unknown>>(text, values)).rows
  }

  /** Several statements at once, without values. */
  async batch(text: string): Promise<void> {
    await this.client.query(text)
  }
}
