// The client as a page loads it: one minified ES module, and one for each part that a page may add to it.
// `npm run build` writes them to packages/client/dist/page, which is what package.json exports to browsers.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, type BuildResult, build, type Plugin } from 'esbuild'
import { minifySync } from 'rolldown/utils'
import { type MinifyOptions, minify } from 'terser'
import { shortNames } from './names.ts'
import { markPrivates } from './privates.ts'
import { withoutTexts } from './texts.ts'

const packages = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'packages')
const client = join(packages, 'client')
const core = join(client, 'src', 'page-core.ts')
const small = join(packages, 'protocol', 'src', 'small', 'index.ts')

/** Where a browser finds the client, below packages/client; what it may add to it is beside it. */
export const PAGE_CLIENT = 'dist/page/client.js'
const PARTS = [
  'aliases',
  'authentication',
  'durability',
  'expiry',
  'identifiers',
  'metrics',
  'pings',
  'policies',
  'quarantine',
  'references',
  'requests',
  'telemetry',
  'timers',
]

/** Modules that a page has another of, beside them: `page-`. */
const FOR_PAGES = ['fifo.ts', 'keep-alive-loop.ts', 'packet-transport.ts']

/** A page gets the small codec: it reads what servers send and writes what clients send. */
const clientSide: Plugin = {
  name: 'client side',
  setup({ onResolve }) {
    onResolve({ filter: /^@pipit\/protocol$/ }, () => ({ path: small }))
    onResolve({ filter: /\/[\w-]+\.ts$/ }, ({ path, resolveDir }) => {
      const file = join(resolveDir, dirname(path), `page-${basename(path)}`)
      return FOR_PAGES.includes(basename(path)) ? { path: file } : undefined
    })
  },
}

/** Leaves out what a page can do without: fields that begin undefined, and the texts of errors. */
const shorter: Plugin = {
  name: 'shorter',
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => ({
      contents: withoutTexts(markPrivates(readFileSync(path, 'utf8'))).replace(
        /^( {2}(?:private |readonly )*\w+: .*) = undefined$/gm,
        '$1',
      ),
      loader: 'ts',
    }))
  },
}

const WHOLE = 'whole:'

/** Has a part take from the client what both use, so that the page has it once. */
const shared: Plugin = {
  name: 'shared',
  setup({ onResolve, onLoad }) {
    const stubs = sharedModules()
    onResolve({ filter: /./ }, ({ path, resolveDir, kind }) => {
      if (kind === 'entry-point') return undefined
      if (path === './client.js') return { path, external: true }
      if (path.startsWith(WHOLE)) return { path: path.slice(WHOLE.length), sideEffects: false }
      const file = path === '@pipit/protocol' ? small : join(resolveDir, path)
      return stubs.has(file) ? { path: file, namespace: 'shared', sideEffects: false } : undefined
    })
    onLoad({ filter: /./, namespace: 'shared' }, ({ path }) => ({
      contents: stubs.get(path)!,
      resolveDir: client,
    }))
  },
}

/** For each module that src/page-core.ts shares: a module that has the same of ./client.js. */
function sharedModules(): Map<string, string> {
  const stubs = new Map<string, string>()
  const text = readFileSync(core, 'utf8')
  for (const [, list = '', from = ''] of text.matchAll(/^export \{([^}]*)\} from '([^']*)'/gm)) {
    const names = list.split(',').map((name) => name.trim().split(' as '))
    const items = names.filter(([name]) => name !== '').map(([name, as]) => `${as ?? name} as ${name}`)
    const file = from === '@pipit/protocol' ? small : join(dirname(core), from)
    // What else the module has, a part brings itself.
    stubs.set(file, `export { ${items.join(', ')} } from './client.js'\nexport * from '${WHOLE}${file}'`)
  }
  const errors = "export { MalformedPacketError, MqttError, ProtocolError } from './client.js'"
  stubs.set(join(packages, 'protocol', 'src', 'errors.ts'), errors)
  return stubs
}

const OPTIONS = {
  absWorkingDir: client,
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  // Fields without a value need not be named: half a kilobyte.
  tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
  conditions: ['@pipit/source'],
  legalComments: 'none',
  write: false,
  logLevel: 'silent',
} as const satisfies BuildOptions

/** Bundles a module of the client's, with all that it imports, for browsers of ES2022.
 *  @param entry below packages/client */
export async function bundle(entry: string): Promise<Uint8Array> {
  const { outputFiles } = await build({ ...OPTIONS, entryPoints: [entry], plugins: [clientSide] })
  return outputFiles[0]!.contents
}

/** The files of the published build: `client.js`, and one for each part. */
export async function pageBuild(): Promise<Map<string, Uint8Array>> {
  const parts = PARTS.map((part) => `src/part-${part}.ts`)
  const names = { ...OPTIONS, outdir: 'unused', mangleProps: /./, mangleCache: {} }
  const all = await build({ ...names, entryPoints: [core, ...parts], plugins: [shorter, clientSide] })
  const mangleCache = shortNames(usesOf(all), packages)
  const own = Object.keys(mangleCache)
  const mangled = {
    ...OPTIONS,
    outdir: 'unused',
    mangleProps: new RegExp(`^(${own.join('|')})$`),
    mangleCache,
  }
  const whole = await build({ ...mangled, entryPoints: [core], plugins: [shorter, clientSide] })
  const added = await build({ ...mangled, entryPoints: parts, plugins: [shared, shorter, clientSide] })
  const files = new Map([['client.js', await again(whole.outputFiles[0]!.text)]])
  for (const { path, text } of added.outputFiles)
    files.set(basename(path).replace('part-', ''), await again(text))
  return files
}

/** How often a build uses each property's name. */
function usesOf({ mangleCache = {}, outputFiles = [] }: BuildResult): Map<string, number> {
  const uses = new Map<string, number>()
  const words = outputFiles.find(({ path }) => path.endsWith('page-core.js'))!.text.match(/[\w$]+/g) ?? []
  for (const word of words) uses.set(word, (uses.get(word) ?? 0) + 1)
  return new Map(Object.entries(mangleCache).map(([name, short]) => [name, uses.get(`${short}`) ?? 0]))
}

/** Two more minifiers: each finds another 2 or 3 %, the first one even after the second. */
async function again(code: string): Promise<Uint8Array> {
  const less = minifiedByRolldown(code)
  const { code: least = less } = await minify(less, TERSER)
  return new TextEncoder().encode(minifiedByRolldown(least))
}

function minifiedByRolldown(text: string): string {
  const options = { module: true, compress: { target: 'es2022' }, mangle: { toplevel: true } }
  const { code, errors } = minifySync('client.js', text, options)
  if (errors.length > 0) throw new Error(errors[0]!.message)
  return code
}

const TERSER: MinifyOptions = {
  module: true,
  ecma: 2022,
  compress: {
    passes: 3,
    // Nothing here changes what the language brings, and no getter does more than read.
    unsafe: true,
    unsafe_arrows: true,
    unsafe_methods: true,
    pure_getters: true,
    // Together functions pack better.
    hoist_funs: true,
  },
}

/** Writes the published build. */
export async function writePageBuild(): Promise<void> {
  const folder = dirname(join(client, PAGE_CLIENT))
  mkdirSync(folder, { recursive: true })
  for (const [name, contents] of await pageBuild()) writeFileSync(join(folder, name), contents)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writePageBuild()
