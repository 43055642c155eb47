/** A fenced block of a Markdown text, and the comment in front of it that says where it comes from. */
export interface Block {
  /** Line of the opening fence, from 1. */
  readonly line: number
  readonly language: string
  readonly code: string
  /** `from: examples/turn-red.ts` or `run by: docs/readme.test.ts`. */
  readonly source: { readonly kind: 'from' | 'run by'; readonly file: string } | undefined
}

const BLOCK = /^(?:<!-- (from|run by): (\S+) -->\n)?```(\S*)\n([\s\S]*?)^```$/gm

/** Every fenced block, in order. */
export function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(BLOCK)].map((match) => {
    const [whole, kind, file, language = '', code = ''] = match
    const fence = match.index + whole.indexOf('```')
    const source =
      kind === undefined || file === undefined ? undefined : { kind: kind as 'from' | 'run by', file }
    return { line: markdown.slice(0, fence).split('\n').length, language, code: code.trimEnd(), source }
  })
}

/** Targets of links that lead to files of the repository, without their anchors. */
export function fileLinks(markdown: string): string[] {
  const prose = markdown.replace(BLOCK, '').replace(/`[^`\n]*`/g, '')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^(https?:|mailto:|#)/.test(target))
    .map((target) => target.replace(/#.*$/, ''))
}
