// `npm start`: a broker and simulated devices, from a fresh clone on. Arguments go to `pipit up`.
import { foreground, setup } from './setup.mjs'

const node = await setup()
process.exit(await foreground(node, ['packages/cli/bin/pipit.js', 'up', '--demo', ...process.argv.slice(2)]))
