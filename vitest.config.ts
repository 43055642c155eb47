import { defineConfig } from 'vitest/config'

// Tests run on the TypeScript sources: the condition below is the first in every package's "exports". Not `import`:
// that holds where something is imported, and here would hold for what is required too.
const conditions = ['@pipit/source', 'node']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ['packages/*/{src,test}/**/*.test.ts', '{conformance,examples,bench,tools,docs}/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    // Node takes the types off our threads' sources in WebAssembly. V8 of Node 24 sometimes aborts where it makes its
    // calls from there to JavaScript faster in several threads (WasmImportWrapperCache::Free): so it does not.
    execArgv: ['--wasm-wrapper-tiering-budget=2147483647'],
    // Hundreds of tests start processes on a machine that may be busy with others: one that failed runs once
    // more in CI, and is named in the output ("retry x1"). Anywhere else the first failure counts.
    retry: process.env.CI ? 1 : 0,
    coverage: { provider: 'v8', include: ['packages/*/src/**/*.ts'] },
  },
})
