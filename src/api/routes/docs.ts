/**
 * /openapi.json: what this API takes and gives, for machines. /docs: the same for people. Both are public: what they tell
 * stands in the documentation of the release, and nothing of what is stored here.
 */
import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '../../errors.ts'
import { OBJECT } from '../documents/document.ts'
import { endpoint, type Registered } from '../endpoint.ts'
import { createDocsPages, POLICY, type Asset } from '../openapi/docs-page.ts'
import { describeApi } from '../openapi/document.ts'

const PUBLIC = { auth: 'public' } as const

const OPENAPI = endpoint(PUBLIC, {
  id: 'getOpenApi',
  tag: 'service',
  summary: 'This description, as OpenAPI 3.1',
  headers: { 'If-None-Match': { type: 'string', description: 'The ETag of the description that is known' } },
  answers: {
    200: { description: 'The description', schema: OBJECT, headers: ['ETag'] },
    304: { description: 'It is the one that is known', headers: ['ETag'] },
  },
})
const DOCS = endpoint(PUBLIC, {
  id: 'getDocs',
  tag: 'service',
  summary: 'This description, for people',
  isPage: true,
  answers: { 200: { description: 'The page', schema: { type: 'string' }, type: 'text/html' } },
})
const FILE = endpoint(PUBLIC, {
  id: 'getDocsFile',
  tag: 'service',
  summary: 'What the page is made of',
  isPage: true,
  answers: { 200: { description: 'The file', schema: { type: 'string' }, type: '*/*' } },
  problems: ['RB_ROUTE_UNKNOWN'],
})

export interface DocsOptions {
  /** Those that are described; asked for when all are registered. */
  endpoints: readonly Registered[]
  version: string
}

export function docsRoutes(app: FastifyInstance, { endpoints, version }: DocsOptions): void {
  const pages = createDocsPages()
  let described: Asset | undefined
  const describe = (): Asset =>
    (described ??= {
      type: 'application/json; charset=utf-8',
      body: JSON.stringify(describeApi(endpoints, { version, prefix: app.prefix })),
    })

  app.get('/openapi.json', OPENAPI, (request, reply) => answer(request, reply, describe()))
  app.get('/docs', DOCS, (request, reply) => answer(request, reply, pages.page()))
  app.get('/docs/:file', FILE, async (request, reply) => {
    const { file } = request.params as { file: string }
    const asset = await pages.file(file)
    if (asset) return await answer(request, reply, asset)
    throw new RequestError(
      'RB_ROUTE_UNKNOWN',
      'The page has no such file, or swagger-ui-dist is not installed.',
    )
  })
}

/** Kept by whoever asked, who asks each time whether it is still the one. */
function answer(request: FastifyRequest, reply: FastifyReply, { type, body }: Asset): FastifyReply {
  const tag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
  reply
    .header('cache-control', 'no-cache')
    .header('etag', tag)
    .header('content-security-policy', POLICY)
    .header('referrer-policy', 'no-referrer')
  const known = request.headers['if-none-match']?.split(',').map((one) => one.trim().replace(/^W\//, ''))
  return known?.includes(tag) || known?.includes('*') ? reply.code(304).send() : reply.type(type).send(body)
}
