// `npm run build`: installs what is missing, compiles what changed, and bundles the client for pages.
import { fail, run, setup } from './setup.mjs'

const { code, output } = await run(await setup(), ['tools/browser/bundle.ts'])
if (code !== 0) fail(`${output.trimEnd()}\nThe browser bundle failed: the errors are above`, code)
