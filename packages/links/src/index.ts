export { Link, type LinkMetrics, type LinkPlace } from './link.ts'
export { checkLink, type LinkOptions, type LinkTls, type LinkTopic } from './options.ts'
