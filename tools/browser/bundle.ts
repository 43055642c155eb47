// The client as a page loads it: one minified ES module. `npm run build` writes it to packages/client/dist.
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

const packages = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'packages')
const client = join(packages, 'client')

/** A page gets the small codec: it reads what servers send and writes what clients send. */
const clientSide: Plugin = {
  name: 'client side',
  setup({ onResolve }) {
    const path = join(packages, 'protocol', 'src', 'small', 'index.ts')
    onResolve({ filter: /^@pipit\/protocol$/ }, () => ({ path }))
  },
}

/** Bundles a module of the client's, with what it imports, for browsers of ES2022.
 *  @param entry below packages/client */
export async function bundle(entry = 'src/browser.ts'): Promise<Uint8Array> {
  const { outputFiles } = await build({
    absWorkingDir: client,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    // Fields without a value need not be named: half a kilobyte.
    tsconfigRaw: { compilerOptions: { useDefineForClassFields: false } },
    conditions: ['@pipit/source'],
    plugins: [clientSide],
    legalComments: 'none',
    write: false,
    logLevel: 'silent',
  })
  return outputFiles[0]!.contents
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(join(client, 'dist', 'browser.min.js'), await bundle())
}
