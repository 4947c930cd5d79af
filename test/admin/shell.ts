/**
 * The panel without a browser: `const shell = await openShell(t)` is a fresh database, the API with the panel on it, and a person of
 * each role. What is sent is sent as bytes, because clients tidy up what an attacker does not.
 */
import { pino } from 'pino'
import { rowbeatPanel } from '../../admin/panel.ts'
import { createServer, type ServerOptions } from '../../src/api/server.ts'
import { hashPassword } from '../../src/auth/password.ts'
import { ROLES } from '../../src/auth/scopes.ts'
import { saveUser } from '../../src/db/statements/users.ts'
import { createRowbeat, task, type Rowbeat } from '../../src/index.ts'
import { portOf, sendRaw } from '../api/raw.ts'
import { setup, type Bundle } from '../helpers/bundle.ts'

export const PASSWORD = 'correct horse battery'

export interface Answer {
  status: number
  headers: Record<string, string>
  /** Every Set-Cookie. */
  cookies: string[]
  body: string
}

export interface Ask {
  method?: string
  /** As sent, whatever is in it. */
  path: string
  cookie?: string
  headers?: Record<string, string>
  body?: string | object
}

export interface Shell extends Bundle {
  rowbeat: Rowbeat
  base: string
  host: string
  send(ask: Ask): Promise<Answer>
  /** The cookie of somebody, by e-mail address or role, as it is sent. */
  signIn(who: string, headers?: Record<string, string>): Promise<string>
}

type Owner = Parameters<typeof setup>[0]

export async function openShell(t: Owner, options: Partial<ServerOptions> = {}): Promise<Shell> {
  const bundle = await setup(t)
  const echo = task('demo.echo', {}, (input) => input)
  const rowbeat = createRowbeat({ db: bundle.sql, tasks: [echo] })
  const app = createServer({ rowbeat, logger: pino({ level: 'silent' }), ...options })
  app.register(rowbeatPanel, { rowbeat })
  t.teardown(async () => {
    await app.close()
    await rowbeat.close()
  })
  const base = await app.listen({ port: 0, host: '127.0.0.1' })
  const passwordHash = await hashPassword(PASSWORD)
  for (const role of ROLES) await saveUser(bundle.db, { email: `${role}@example.com`, passwordHash, role })
  const { host } = new URL(base)
  const send = async ({ method = 'GET', path, cookie, headers = {}, body }: Ask): Promise<Answer> => {
    const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
    const type = typeof body === 'object' ? { 'content-type': 'application/json' } : {}
    const lines = Object.entries({
      host,
      connection: 'close',
      ...(method === 'GET' || method === 'HEAD' ? {} : { 'content-length': String(Buffer.byteLength(text)) }),
      ...type,
      ...(cookie ? { cookie } : {}),
      ...headers,
    }).map(([name, value]) => `${name}: ${value}`)
    return read(
      await sendRaw(portOf(base), `${method} ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${text}`),
    )
  }
  return {
    ...bundle,
    rowbeat,
    base,
    host,
    send,
    async signIn(who, headers) {
      const email = who.includes('@') ? who : `${who}@example.com`
      const credentials = { email, password: PASSWORD }
      const { cookies } = await send({ method: 'POST', path: '/admin/login', body: credentials, headers })
      return cookies[0]!.split(';', 1)[0]!
    },
  }
}

function read({ status, head, body }: { status: number; head: string; body: string }): Answer {
  const pairs = head
    .split('\r\n')
    .slice(1)
    .map((line) => line.split(/: (.*)/s, 2) as [string, string])
  return {
    status,
    headers: Object.fromEntries(pairs.map(([name, value]) => [name.toLowerCase(), value])),
    cookies: pairs.filter(([name]) => name.toLowerCase() === 'set-cookie').map(([, value]) => value),
    body,
  }
}
