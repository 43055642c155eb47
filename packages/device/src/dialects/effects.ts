import type { LightEffect } from '../lights/light.ts'

/** Names of effects in a dialect that mean about the same as ours. */
export class EffectNames {
  private readonly dialect: string
  private readonly theirs: ReadonlyMap<string, LightEffect>
  private readonly ours: ReadonlyMap<string, string>

  /** @param pairs ours and theirs; of several the first is the one that is written */
  constructor(dialect: string, pairs: readonly (readonly [ours: LightEffect, theirs: string])[]) {
    this.dialect = dialect
    this.theirs = new Map(pairs.map(([ours, theirs]) => [theirs.toLowerCase(), ours]))
    this.ours = new Map(pairs.toReversed())
  }

  /** Ours, or what was lost. */
  read(name: string): { readonly effect?: LightEffect; readonly lost: readonly string[] } {
    const effect = this.theirs.get(name.toLowerCase())
    if (effect !== undefined) return { effect, lost: [] }
    return { lost: [`effect ${JSON.stringify(name)}: there is none like it here`] }
  }

  /** Theirs, or what was lost. */
  write(effect: LightEffect | undefined): { readonly name?: string; readonly lost: readonly string[] } {
    if (effect === undefined) return { lost: [] }
    const name = this.ours.get(effect)
    return name === undefined
      ? { lost: [`effect ${effect}: ${this.dialect} has none like it`] }
      : { name, lost: [] }
  }
}
