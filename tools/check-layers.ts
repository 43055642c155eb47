// Fails when a package or a layer imports what tools/layers.ts does not let it import.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PACKAGES, type PackageRule } from './layers.ts'

export interface SourceFile {
  /** Below `packages/`, with forward slashes: `client/src/transport/tcp.ts`. */
  readonly path: string
  readonly text: string
}

interface Import {
  readonly line: number
  readonly specifier: string
  readonly typeOnly: boolean
}

/** One line for each import that breaks a rule, `file:line: what is wrong`. */
export function violations(
  files: readonly SourceFile[],
  rules: Readonly<Record<string, PackageRule>> = PACKAGES,
): string[] {
  const found: string[] = []
  for (const file of files) {
    const rule = rules[folderOf(file)]
    if (rule === undefined) {
      found.push(`packages/${file.path}: the package "${folderOf(file)}" is not in tools/layers.ts`)
      continue
    }
    for (const one of importsOf(file.text)) {
      const fault = judge(file, one, rule, rules)
      if (fault !== undefined) found.push(`packages/${file.path}:${one.line}: ${fault}`)
    }
    const unlisted = unlistedFolder(file, rule)
    if (unlisted !== undefined) found.push(`packages/${file.path}: ${unlisted}`)
  }
  return [...new Set(found)]
}

/** Faults of the dependencies at run time that a package.json names. */
export function dependencyFaults(folder: string, dependencies: readonly string[]): string[] {
  const rule = PACKAGES[folder]
  if (rule === undefined) return [`packages/${folder}: not in tools/layers.ts`]
  const names = new Map(Object.entries(PACKAGES).map(([other, { name }]) => [name, other]))
  const reachable = [...rule.imports, ...(rule.typesOf ?? [])]
  return dependencies
    .filter((name) => {
      const other = names.get(name)
      if (other !== undefined) return !reachable.includes(other)
      return rule.dependencies !== undefined && !rule.dependencies.includes(name)
    })
    .map((name) => `packages/${folder}/package.json: "${name}" may not be a dependency of ${rule.name}`)
}

function judge(
  file: SourceFile,
  one: Import,
  rule: PackageRule,
  rules: Readonly<Record<string, PackageRule>>,
): string | undefined {
  if (one.specifier.startsWith('.')) return judgeRelative(file, one, rule)
  if (isNodeModule(one.specifier)) return judgeNode(file, one, rule)
  const other = Object.keys(rules).find((folder) => isOf(rules[folder] as PackageRule, one.specifier))
  if (other === undefined || other === folderOf(file)) return undefined
  if (rule.imports.includes(other)) return undefined
  if (rule.typesOf?.includes(other)) {
    return one.typeOnly ? undefined : `${rule.name} may import only types of ${one.specifier}`
  }
  return `${rule.name} may not import ${one.specifier}`
}

function judgeRelative(file: SourceFile, one: Import, rule: PackageRule): string | undefined {
  const target = posix.join(posix.dirname(file.path), one.specifier)
  const folder = folderOf(file)
  if (!target.startsWith(`${folder}/`)) {
    // Tests may share what lies outside the packages (tools/), never another package's inside.
    if (isTest(file) && target.startsWith('../')) return undefined
    return `reaches out of its package: "${one.specifier}"; import the package by its name`
  }
  if (isTest(file) || !target.startsWith(`${folder}/src/`)) return undefined
  const from = layerOf(insideSrc(file.path), rule)
  const to = layerOf(insideSrc(target), rule)
  const named = ([low, high]: readonly [string, string]) => low === from.name && high === to.name
  const { typesUpward = [] } = rule
  if (one.typeOnly && (typesUpward === 'anywhere' || typesUpward.some(named))) return undefined
  if (to.height > from.height) return `${from.name} may not import ${to.name}, a layer above it`
  if (to.height === from.height && to.name !== from.name && from.height < rule.layers.length) {
    return `${from.name} and ${to.name} stand beside each other and may not import each other`
  }
  return undefined
}

function judgeNode(file: SourceFile, one: Import, rule: PackageRule): string | undefined {
  if (!one.specifier.startsWith('node:')) return `write "node:${one.specifier}"`
  if (rule.node === 'anywhere' || isTest(file)) return undefined
  const path = insideSrc(file.path).replace(/\.ts$/, '')
  if (rule.node.some((place) => path === place || path.startsWith(`${place}/`))) return undefined
  return `${one.specifier}: ${rule.name} may use Node only in ${rule.node.join(', ') || 'its tests'}`
}

/** Import and export statements, dynamic imports and import types. */
function importsOf(text: string): Import[] {
  const imports: Import[] = []
  const add = (index: number, specifier: string, typeOnly: boolean) =>
    imports.push({ line: text.slice(0, index).split('\n').length, specifier, typeOnly })
  const statement = /^(?:import|export)\s+(type\s)?[^'"`;()]*?\sfrom\s*['"]([^'"]+)['"]/gm
  for (const match of text.matchAll(statement)) add(match.index, match[2] ?? '', match[1] !== undefined)
  for (const match of text.matchAll(/^import\s*['"]([^'"]+)['"]/gm)) add(match.index, match[1] ?? '', false)
  for (const match of text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*[,)]/g)) {
    add(match.index, match[1] ?? '', false)
  }
  return imports.sort((a, b) => a.line - b.line)
}

/** The most exact entry of the table that holds the file: `codec/utf8` goes before `codec`. */
function layerOf(inside: string, rule: PackageRule): { height: number; name: string } {
  const path = inside.replace(/\.tsx?$/, '')
  let best = { height: rule.layers.length, name: path.split('/')[0] ?? '', length: 0 }
  rule.layers.forEach((layer, height) => {
    for (const name of typeof layer === 'string' ? [layer] : layer) {
      const holds = path === name || path.startsWith(`${name}/`)
      if (holds && name.length > best.length) best = { height, name, length: name.length }
    }
  })
  return best
}

function unlistedFolder(file: SourceFile, rule: PackageRule): string | undefined {
  const inside = insideSrc(file.path)
  if (isTest(file) || !inside.includes('/') || rule.layers.length === 0) return undefined
  if (layerOf(inside, rule).height < rule.layers.length) return undefined
  return `the folder "${inside.split('/')[0]}" has no layer yet: give it one in tools/layers.ts`
}

function isTest(file: SourceFile): boolean {
  return file.path.endsWith('.test.ts') || !file.path.startsWith(`${folderOf(file)}/src/`)
}

function isOf(rule: PackageRule, specifier: string): boolean {
  return specifier === rule.name || specifier.startsWith(`${rule.name}/`)
}

function isNodeModule(specifier: string): boolean {
  return specifier.startsWith('node:') || builtinModules.includes(specifier)
}

function folderOf(file: SourceFile): string {
  return file.path.split('/')[0] ?? ''
}

function insideSrc(path: string): string {
  return path.split('/').slice(2).join('/')
}

function main(): void {
  const root = dirname(dirname(fileURLToPath(import.meta.url)))
  const packages = join(root, 'packages')
  const paths = globSync(['*/src/**/*.{ts,tsx}', '*/test/**/*.{ts,tsx}'], { cwd: packages })
  const files = paths.map((path) => ({
    path: path.replaceAll('\\', '/'),
    text: readFileSync(join(packages, path), 'utf8'),
  }))
  const faults = violations(files)
  for (const folder of globSync('*', { cwd: packages })) {
    const manifest = join(packages, folder, 'package.json')
    if (!existsSync(manifest)) continue
    const { dependencies = {} } = JSON.parse(readFileSync(manifest, 'utf8')) as { dependencies?: object }
    faults.push(...dependencyFaults(folder, Object.keys(dependencies)))
  }
  for (const fault of faults) console.error(fault)
  if (faults.length > 0) {
    console.error(`${faults.length} imports break the layers; the rules are in tools/layers.ts`)
    process.exitCode = 1
  } else console.log(`${files.length} files keep their layers`)
}

if (import.meta.main) main()
