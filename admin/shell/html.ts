/**
 * Pages as text: what is put into one is escaped by `html`, and a script that holds data holds nothing that could end it. Each page has
 * a policy of what it may load (CSP): from here only, and of scripts and styles within the page only those that carry its nonce.
 */
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** Text that is HTML already. */
export interface Html {
  readonly html: string
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Every value is escaped, but for what `html` made itself. */
export function html(
  parts: TemplateStringsArray,
  ...values: readonly (string | Html | readonly Html[])[]
): Html {
  const text = values.map((value) => {
    if (typeof value === 'string') return value.replaceAll(/[&<>"']/g, (sign) => ESCAPES[sign]!)
    return [value]
      .flat()
      .map((one) => (one as Html).html)
      .join('')
  })
  return { html: parts.map((part, index) => part + (text[index] ?? '')).join('') }
}

/** JSON for within a script: no tag and no comment can begin in it, nor a line end in a text. */
export function json(value: unknown): Html {
  const text = JSON.stringify(value) ?? 'null'
  return {
    html: text.replaceAll(
      /[<>&\u2028\u2029]/g,
      (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
  }
}

export function makeNonce(): string {
  return randomBytes(16).toString('base64')
}

/** Of the empty style that a library puts in before it fills it. */
const EMPTY = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"

export function policyOf(nonce: string): string {
  return [
    "default-src 'none'",
    `script-src 'self' 'nonce-${nonce}'`,
    `style-src 'self' 'nonce-${nonce}' ${EMPTY}`,
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "object-src 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}

/** Compressed for who takes it: a document with all that AdminJS says of the resources is long and says much twice. */
export async function sendPage(
  request: FastifyRequest,
  reply: FastifyReply,
  { page, nonce }: { page: Html; nonce: string },
): Promise<FastifyReply> {
  const text = `<!doctype html>\n${page.html}`
  reply
    .header('content-security-policy', policyOf(nonce))
    .header('vary', 'accept-encoding')
    .type('text/html; charset=utf-8')
  if (!takesGzip(request)) return reply.send(text)
  return reply.header('content-encoding', 'gzip').send(await promisify(gzip)(text))
}

export function takesGzip({ headers }: FastifyRequest): boolean {
  return /\bgzip\b/.test(String(headers['accept-encoding'] ?? ''))
}
