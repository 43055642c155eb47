import type { FastifyInstance } from 'fastify'

interface Path {
  readonly pattern: RegExp
  readonly methods: Set<string>
}

/** Which methods there are for a path. */
export class Methods {
  private readonly paths = new Map<string, Path>()

  /** Sees every route that is added from now on. */
  constructor(app: FastifyInstance) {
    app.addHook('onRoute', ({ url, method }) => {
      const path = this.paths.get(url) ?? { pattern: patternOf(url), methods: new Set() }
      this.paths.set(url, path)
      for (const each of [method].flat()) path.methods.add(each)
    })
  }

  /** @param url with its query @returns none when there is no such path */
  of(url: string): readonly string[] {
    const [path = ''] = url.split('?')
    const found = [...this.paths.values()].filter(({ pattern }) => pattern.test(path))
    return [...new Set(found.flatMap(({ methods }) => [...methods]))].sort()
  }
}

function patternOf(url: string): RegExp {
  const parts = url.split(/(:\w+|\*)/).map((part) => {
    if (part === '*') return '.*'
    return part.startsWith(':') ? '[^/]+' : part.replace(/[.+?^${}()|[\]\\]/g, '\\$&')
  })
  return new RegExp(`^${parts.join('')}$`)
}
