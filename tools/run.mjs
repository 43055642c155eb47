// Runs a script of the repository on Node 24 after a build: `node tools/run.mjs bench/run.ts codec`.
import { foreground, setup } from './setup.mjs'

const node = await setup()
process.exit(await foreground(node, ['--conditions=@pipit/source', ...process.argv.slice(2)]))
