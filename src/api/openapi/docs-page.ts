/**
 * The pages of /docs: swagger-ui-dist, which is somebody's own to install, served from our own origin. Nothing is asked of
 * any other, and the policy forbids it: no script, style or frame but ours, no script that is written in a page.
 */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

export interface Asset {
  type: string
  body: string | Buffer
}

export const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const FILES: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
}

/** Addresses are relative, so that the page works wherever the API is mounted. */
const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Rowbeat API</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
`

/** No validator: it would ask a server of others. */
const START = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  docExpansion: 'none',
  defaultModelsExpandDepth: 0,
  filter: true,
  validatorUrl: null,
})
`

const MISSING = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Rowbeat API</title></head>
<body>
<h1>Rowbeat API</h1>
<p>The description of this API is at <a href="openapi.json">openapi.json</a>.</p>
<p>To read it here, install the page that shows it: <code>npm install swagger-ui-dist</code>, and start anew.</p>
</body>
</html>
`

export interface DocsPages {
  page(): Asset
  /** null: there is no such file. */
  file(name: string): Promise<Asset | null>
}

/** `folder`: of swagger-ui-dist, or null where it is not installed. */
export function createDocsPages(folder: string | null = findFolder()): DocsPages {
  return Object.freeze({
    page: () => ({ type: 'text/html; charset=utf-8', body: folder === null ? MISSING : PAGE }),
    async file(name: string) {
      if (folder === null) return null
      if (name === 'start.js') return { type: 'text/javascript; charset=utf-8', body: START }
      if (!Object.hasOwn(FILES, name)) return null
      return { type: FILES[name]!, body: await readFile(join(folder, name)) }
    },
  })
}

function findFolder(): string | null {
  try {
    return dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
  } catch {
    return null
  }
}
