import type { MosquittoOption, ValueKind } from './option-table.ts'

/** What a line says, checked: of a `words` option the words as they stand. */
export type Value = string | number | boolean

/** What a line says, or a fault that names what would be right. */
export type Checked = { readonly value: Value } | { readonly fault: string }

/** Checks what follows an option's name. Behind a value of one word a comment may stand, as for Mosquitto. */
export function checkedValue({ name, value: kind }: MosquittoOption, rest: string): Checked {
  if (rest === '') return { fault: `${name} says nothing; it takes ${phraseOf(kind)}` }
  if (kind.kind === 'text') return { value: rest }
  if (kind.kind === 'words') return { value: withoutComment(rest) }
  const word = withoutComment(rest)
  const value = oneWord(kind, word)
  return value === undefined ? { fault: `${name} is ${word}; it takes ${phraseOf(kind)}` } : { value }
}

function withoutComment(rest: string): string {
  return rest.replace(/(?<=.) +#.*$/, '')
}

function oneWord(kind: ValueKind, word: string): Value | undefined {
  switch (kind.kind) {
    case 'flag':
      if (word === 'true' || word === '1') return true
      return word === 'false' || word === '0' ? false : undefined
    case 'whole': {
      const { lowest = Number.NEGATIVE_INFINITY, highest = Number.POSITIVE_INFINITY } = kind
      const value = /^-?\d+$/.test(word) ? Number(word) : Number.NaN
      return value >= lowest && value <= highest ? value : undefined
    }
    case 'choice':
      return kind.choices.includes(word) ? word : undefined
    default:
      return word
  }
}

/** `true or false`, `a whole number from 0 to 2`. */
export function phraseOf(kind: ValueKind): string {
  switch (kind.kind) {
    case 'flag':
      return 'true or false'
    case 'whole': {
      const { lowest, highest } = kind
      if (lowest === undefined)
        return highest === undefined ? 'a whole number' : `a whole number up to ${highest}`
      return highest === undefined
        ? `a whole number from ${lowest} on`
        : `a whole number from ${lowest} to ${highest}`
    }
    case 'choice':
      return `${kind.choices.slice(0, -1).join(', ')} or ${kind.choices.at(-1)}`
    case 'words':
      return kind.phrase
    case 'text':
      return 'the rest of the line'
  }
}
