export { Link } from './link.ts'
export type { LinkMetrics, LinkPlace } from './link-place.ts'
export { checkLink, type LinkOptions, type LinkTls, type LinkTopic } from './options.ts'
