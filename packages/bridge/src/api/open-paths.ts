/** What anybody may ask for. */
export const OPEN_PATHS: ReadonlySet<string> = new Set(['/health', '/ready', '/docs', '/docs/openapi.json'])
