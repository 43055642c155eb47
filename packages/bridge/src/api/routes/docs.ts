import type { Routes } from '../context.ts'

/** What there is, for people and for programs: a page that needs nothing from anywhere else. */
export const docRoutes: Routes = (app) => {
  app.get('/docs/openapi.json', { schema: { hide: true } }, async () => app.swagger())
  app.get('/docs', { schema: { hide: true } }, async (_, reply) => {
    reply.type('text/html; charset=utf-8')
    return PAGE
  })
}

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Pipit bridge</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
  summary { cursor: pointer; padding: .3rem 0; }
  code, pre { font-family: ui-monospace, monospace; font-size: 14px; }
  pre { background: #8881; padding: .7rem; overflow-x: auto; }
  b { display: inline-block; width: 4.5rem; }
</style>
<h1>Pipit bridge</h1>
<p>For programs: <a href="/docs/openapi.json">openapi.json</a></p>
<main></main>
<script>
  const add = (parent, tag, text) => Object.assign(parent.appendChild(document.createElement(tag)), { textContent: text })
  fetch('/docs/openapi.json').then((answer) => answer.json()).then(({ paths }) => {
    const main = document.querySelector('main')
    for (const [path, methods] of Object.entries(paths)) for (const [method, what] of Object.entries(methods)) {
      const details = main.appendChild(document.createElement('details'))
      const summary = details.appendChild(document.createElement('summary'))
      add(summary, 'b', method.toUpperCase())
      add(summary, 'code', path)
      add(summary, 'span', '  ' + (what.summary ?? ''))
      for (const each of what.parameters ?? []) {
        const p = details.appendChild(document.createElement('p'))
        add(p, 'code', each.name)
        add(p, 'span', ' (' + each.in + ') ' + (each.description ?? each.schema?.description ?? ''))
      }
      const body = what.requestBody?.content?.['application/json']?.schema
      if (body) add(details, 'pre', JSON.stringify(body, null, 2))
      for (const [status, answer] of Object.entries(what.responses)) {
        const p = details.appendChild(document.createElement('p'))
        add(p, 'code', status)
        add(p, 'span', ' ' + answer.description)
        const shown = status < 300 && answer.content?.['application/json']?.schema
        if (shown) add(details, 'pre', JSON.stringify(shown, null, 2))
      }
    }
  })
</script>
</html>
`
