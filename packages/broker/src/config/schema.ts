import { OPTIONS, type OptionRow, type OptionType, SECTIONS } from './table.ts'

type Schema = Readonly<Record<string, unknown>>

/** The JSON Schema of the configuration file, for editors. It is published as `schema/pipit.schema.json`. */
export function configurationSchema(): Schema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of the Pipit broker',
    ...sectionOf(''),
  }
}

/** @param prefix empty, or a section and its dot */
function sectionOf(prefix: string): Schema {
  const inside = (name: string): boolean =>
    name.startsWith(prefix) && !name.slice(prefix.length).includes('.')
  const rows = OPTIONS.filter(({ key }) => inside(key))
  const { properties, ...rest } = objectOf(rows.map((row) => ({ ...row, key: row.key.slice(prefix.length) })))
  const sections = [...SECTIONS]
    .filter(inside)
    .map((name) => [name.slice(prefix.length), sectionOf(`${name}.`)])
  return { ...rest, properties: { ...(properties as object), ...Object.fromEntries(sections) } }
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
    case 'texts':
      return { type: 'array', items: { type: 'string', minLength: 1 } }
    case 'section':
      return objectOf(type.of)
    case 'list':
      return { type: 'array', items: objectOf(type.of) }
  }
}
