import { OPTIONS, type OptionRow, type OptionType, SECTIONS } from './table.ts'

type Schema = Readonly<Record<string, unknown>>

/** The JSON Schema of the configuration file, for editors. It is published as `schema/pipit.schema.json`. */
export function configurationSchema(): Schema {
  const sections = [...SECTIONS].map((section) => {
    const rows = OPTIONS.filter(({ key }) => key.startsWith(`${section}.`))
    const short = rows.map((row) => ({ ...row, key: row.key.slice(section.length + 1) }))
    return [section, objectOf(short)] as const
  })
  const top = OPTIONS.filter(({ key }) => !key.includes('.'))
  const { properties, ...rest } = objectOf(top)
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of the Pipit broker',
    ...rest,
    properties: { ...(properties as object), ...Object.fromEntries(sections) },
  }
}

function objectOf(rows: readonly OptionRow[]): Schema {
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(rows.map((row) => [row.key, schemaOf(row)])),
  }
}

function schemaOf({ type, text, fallback }: OptionRow): Schema {
  return { description: text, ...(fallback !== undefined && { default: fallback }), ...shapeOf(type) }
}

function shapeOf(type: OptionType): Schema {
  switch (type.kind) {
    case 'number': {
      const { lowest, highest, whole } = type
      const kind = whole === true ? 'integer' : 'number'
      return { type: kind, minimum: lowest, ...(highest !== undefined && { maximum: highest }) }
    }
    case 'boolean':
      return { type: 'boolean' }
    case 'text':
      return { type: 'string', minLength: 1 }
    case 'choice':
      return { enum: type.choices }
    case 'list':
      return { type: 'array', items: objectOf(type.of) }
  }
}
