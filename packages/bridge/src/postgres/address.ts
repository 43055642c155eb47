/** Where the database is, as an address says. */
export interface DatabaseAddress {
  /** For the library, password and all: never shown. */
  readonly connectionString: string
  /** In which the tables are. */
  readonly schema: string
}

const DEFAULT_SCHEMA = 'pipit_bridge'

/** Reads postgres://user:password@host:5432/name?schema=NAME; the schema is ours, whatever else is asked for
 *  (`sslmode`, `host` of a unix socket) is the library's.
 *  @throws TypeError that does not repeat the address */
export function readAddress(address: string): DatabaseAddress {
  const parts = /^(postgres|postgresql):\/\/([^/?#]*)([^?#]*)(\?[^#]*)?$/i.exec(address)
  const [, , authority = '', path = '', query = ''] = parts ?? []
  // What stands behind an unwritten / or ? of a password would be shown as the name of a database.
  if (parts === null || `${path}${query}`.includes('@') || !isPort(authority)) {
    throw new TypeError(
      'database: the address is not right; it takes postgres://user:password@host:5432/name, with / ? # @ : of a password written as %2F %3F %23 %40 %3A',
    )
  }
  const parameters = new URLSearchParams(query)
  const schema = parameters.get('schema') ?? DEFAULT_SCHEMA
  // Also the name of a channel, with a few letters before it.
  if (!/^[a-z_][a-z0-9_]{0,49}$/.test(schema)) {
    throw new TypeError(
      'database: schema is no name of a schema; it takes small letters, digits and _, up to 50',
    )
  }
  parameters.delete('schema')
  const rest = parameters.size === 0 ? '' : `?${parameters}`
  return { connectionString: `postgres://${authority}${path}${rest}`, schema }
}

function isPort(authority: string): boolean {
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  return /^([^:[\]]*|\[[0-9a-f:.]+\])(:\d{1,5})?$/i.test(host) && !/%(?![0-9a-f]{2})/i.test(authority)
}
