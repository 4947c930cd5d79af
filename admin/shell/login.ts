/**
 * Signing in and out. The page is plain HTML that needs no script; who fails is told so on it, with what he typed but for the password. The
 * same address takes JSON, for programs. Whoever signs in gets a cookie that did not exist before, whatever he came with; and
 * a page he was on the way to is only believed when it is one of ours.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { originOf } from '../../src/api/guard.ts'
import { ROLE_SCOPES } from '../../src/auth/scopes.ts'
import type { PanelSessions } from '../../src/control/panel-sessions.ts'
import { AccessError } from '../../src/errors.ts'
import { browserTag, chooseLanguage, findText } from '../locale/texts.ts'
import { createCookie } from './cookie.ts'
import type { Files } from './files.ts'
import { html, makeNonce, sendPage, type Html } from './html.ts'
import { createWords, type Words } from './words.ts'

const BODY_BYTES_MAX = 16_384
const FORM = 'application/x-www-form-urlencoded'

interface Fields {
  email?: unknown
  password?: unknown
  next?: unknown
}

interface Place {
  sessions: PanelSessions
  root: string
  files: Files
}

interface Speaking extends Place {
  words: Words
}

export function loginRoutes(app: FastifyInstance, given: Place): void {
  const place: Speaking = { ...given, words: createWords() }
  const { sessions, root } = place
  const cookie = createCookie()
  const options = { bodyLimit: BODY_BYTES_MAX, handlerTimeout: 15_000 }
  const origin = (request: FastifyRequest): ReturnType<typeof originOf> => ({
    ...originOf(request),
    via: 'panel',
  })
  app.addContentTypeParser(FORM, { parseAs: 'string' }, (_request, body, done) =>
    done(null, Object.fromEntries(new URLSearchParams(String(body)))),
  )

  app.get(`${root}/login`, { config: { rowbeatPanel: 'login' } }, async (request, reply) => {
    const { next } = request.query as Fields
    if (await isSignedIn(sessions, cookie.read(request))) return reply.redirect(readNext(next, root), 303)
    return sendLogin(request, reply, place, { next })
  })
  app.post(`${root}/login`, { ...options, config: { rowbeatPanel: 'login' } }, async (request, reply) => {
    const { next, ...credentials } = (request.body ?? {}) as Fields
    try {
      cookie.write(request, reply, await sessions.begin(credentials, cookie.read(request), origin(request)))
    } catch (error) {
      if (!isForm(request) || !(error instanceof AccessError)) throw error
      return sendLogin(request, reply, place, { next, email: credentials.email, error })
    }
    if (isForm(request)) return reply.redirect(readNext(next, root), 303)
    return reply.send({ next: readNext(next, root) })
  })
  app.post(`${root}/logout`, { ...options, config: { rowbeatPanel: 'call' } }, async (request, reply) => {
    await sessions.end(cookie.read(request) ?? '', origin(request))
    cookie.clear(request, reply)
    reply.header('clear-site-data', '"storage"')
    return isForm(request) ? reply.redirect(`${root}/login`, 303) : reply.code(204).send()
  })
  // A link cannot sign anybody out: it asks.
  app.get(`${root}/logout`, { config: { rowbeatPanel: 'page' } }, async (request, reply) =>
    sendLogout(request, reply, place),
  )
}

async function isSignedIn(sessions: PanelSessions, cookie: string | null): Promise<boolean> {
  if (cookie === null) return false
  return await sessions.identify(cookie).then(
    ({ role }) => role !== undefined && Object.hasOwn(ROLE_SCOPES, role),
    () => false,
  )
}

function isForm({ headers }: FastifyRequest): boolean {
  return (headers['content-type'] ?? '').startsWith(FORM)
}

/** A page of ours, or the first one. */
function readNext(next: unknown, root: string): string {
  const isPath = typeof next === 'string' && /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(next)
  const url = isPath ? URL.parse(next, 'http://here') : null
  const isOurs =
    url?.host === 'here' &&
    (url.pathname === root || url.pathname.startsWith(`${root}/`)) &&
    !url.pathname.startsWith(`${root}/log`)
  return isOurs ? url.pathname + url.search : root || '/'
}

type Say = (key: string, values?: Record<string, string | number>) => string

async function languageOf(request: FastifyRequest, words: Words): Promise<{ tag: string; say: Say }> {
  const wishes = String(request.headers['accept-language'] ?? '')
    .split(',', 20)
    .map((wish) => wish.split(';', 1)[0]!.trim())
  const tag = chooseLanguage(wishes)
  const books = await words.of(tag)
  return { tag: browserTag(tag), say: (key, values) => findText(books, `login.${key}`, tag, values) }
}

async function sendLogin(
  request: FastifyRequest,
  reply: FastifyReply,
  { root, files, words }: Speaking,
  { next, email, error }: { next: unknown; email?: unknown; error?: AccessError },
): Promise<FastifyReply> {
  const { tag, say } = await languageOf(request, words)
  if (error) reply.code(error.code === 'RB_LOGIN_BLOCKED' ? 429 : 401)
  const seconds = Math.ceil((error?.retryAfterMs ?? 0) / 1000)
  if (seconds > 0) reply.header('retry-after', String(seconds))
  const fault = !error ? '' : seconds > 0 ? say('blocked', { seconds }) : say('wrong')
  const form = html`<form method="post" action="${root}/login">
    ${fault === '' ? html`` : html`<p class="rb-login-error" role="alert" id="error">${fault}</p>`}
    <input type="hidden" name="next" value="${readNext(next, root)}" />
    <label for="email">${say('email')}</label>
    <input
      id="email"
      name="email"
      type="email"
      autocomplete="username"
      required
      maxlength="320"
      autofocus
      value="${typeof email === 'string' ? email : ''}"
    />
    <label for="password">${say('password')}</label>
    <input
      id="password"
      name="password"
      type="password"
      autocomplete="current-password"
      required
      maxlength="1024"
    />
    <button type="submit">${say('enter')}</button>
  </form>`
  return await sendSmall(request, reply, files, { tag, title: say('title'), content: form })
}

async function sendLogout(
  request: FastifyRequest,
  reply: FastifyReply,
  { root, files, words }: Speaking,
): Promise<FastifyReply> {
  const { tag, say } = await languageOf(request, words)
  const form = html`<form method="post" action="${root}/logout">
    <p>${say('leaving')}</p>
    <button type="submit">${say('leave')}</button>
    <a href="${root || '/'}">${say('stay')}</a>
  </form>`
  return await sendSmall(request, reply, files, { tag, title: say('leave'), content: form })
}

function sendSmall(
  request: FastifyRequest,
  reply: FastifyReply,
  files: Files,
  { tag, title, content }: { tag: string; title: string; content: Html },
): Promise<FastifyReply> {
  const page = html`<html lang="${tag}">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>${title} - Rowbeat</title>
      <link rel="icon" type="image/svg+xml" href="${files.address('icon.svg')}" />
      <link rel="stylesheet" href="${files.address('login.css')}" />
    </head>
    <body class="rb-login">
      <main>
        <h1>Rowbeat</h1>
        ${content}
      </main>
    </body>
  </html>`
  return sendPage(request, reply, { page, nonce: makeNonce() })
}
