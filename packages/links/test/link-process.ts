import { Link } from '../src/index.ts'

// A link to be killed: node link-process.ts LOCAL-URL REMOTE-ADDRESS FOLDER
const [local = '', remote = '', folder = ''] = process.argv.slice(2)
const link = new Link(
  {
    name: 'killed',
    addresses: [remote],
    topics: [{ pattern: 'x/#', direction: 'both', qos: 2 }],
    restartSeconds: 1,
  },
  { local, folder },
)
await link.ready
process.send?.('ready')
