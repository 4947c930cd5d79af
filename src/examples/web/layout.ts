/**
 * The frame of every example page: head, way around, foot. Nothing comes from outside and nothing is inline,
 * so the Content-Security-Policy can forbid both; a script that slipped through escaping would still not run.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { html, htmlText, type Html } from './html.ts'

export interface Page {
  title: string
  body: Html
  /** Which entry of the way around this page belongs to. */
  path?: string
  /** More for the head. */
  head?: Html
}

const ENTRIES = [
  ['/import', 'Import books'],
  ['/orders', 'Orders'],
  ['/widgets', 'Widgets'],
  ['/todo', 'To-do'],
] as const

const POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

const ASSETS = [
  asset('style.css', 'text/css; charset=utf-8'),
  asset('live.js', 'text/javascript; charset=utf-8'),
  asset('icon.svg', 'image/svg+xml'),
]

/** Open to everybody: the API's default-deny hook reads it. */
export const PUBLIC: { config: object } = { config: { auth: 'public' } }

export function sendPage(reply: FastifyReply, page: Page): FastifyReply {
  return reply
    .type('text/html; charset=utf-8')
    .header('content-security-policy', POLICY)
    .header('x-content-type-options', 'nosniff')
    .header('referrer-policy', 'same-origin')
    .header('cache-control', 'no-store')
    .header('vary', 'accept')
    .send(htmlText(layout(page)))
}

/** Style, script and icon; their addresses change with their content, so they may be kept for ever. */
export function serveAssets(app: FastifyInstance): void {
  for (const { path, type, content } of ASSETS) {
    app.get(path, PUBLIC, async (_, reply) =>
      reply.type(type).header('cache-control', 'public, max-age=31536000, immutable').send(content),
    )
  }
}

/** As who asks calls this server. */
export function originOf({ protocol, host }: { protocol: string; host: string }): string {
  return `${protocol}://${host || 'localhost'}`
}

function layout({ title, body, path, head }: Page): Html {
  const [style, script, icon] = ASSETS.map(({ path, version }) => `${path}?v=${version}`)
  const entries = ENTRIES.map(
    ([href, name]) => html`<a href="${href}" ${href === path ? html`aria-current="page"` : null}>${name}</a>`,
  )
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title === 'Rowbeat' ? title : `${title} · Rowbeat`}</title>
        <link rel="icon" type="image/svg+xml" href="${icon}" />
        <link rel="stylesheet" href="${style}" />
        <script type="module" src="${script}"></script>
        ${head}
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header>
          <a class="brand" href="/"><img src="${icon}" alt="" width="28" height="28" />Rowbeat</a>
          <nav aria-label="Examples">${entries}</nav>
        </header>
        <main id="main">${body}</main>
        <footer>
          An example app of Rowbeat: background tasks, durable results and schedules on Postgres.
        </footer>
      </body>
    </html> `
}

function asset(name: string, type: string): { path: string; type: string; content: Buffer; version: string } {
  const content = readFileSync(new URL(name, import.meta.url))
  const version = createHash('sha256').update(content).digest('hex').slice(0, 12)
  return { path: `/examples/${name}`, type, content, version }
}
