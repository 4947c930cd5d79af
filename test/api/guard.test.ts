import { randomUUID } from 'node:crypto'
import fastify, { type RouteOptions } from 'fastify'
import t from 'tap'
import type { Access } from '../../src/api/guard.ts'
import { bearerDoor, guard } from '../../src/api/guard.ts'
import { makeKey, revokeKey } from '../../src/auth/key.ts'
import { rowbeatPlugin } from '../../src/api/plugin.ts'
import { ROLE_SCOPES, ROLES, SCOPES, type Scope } from '../../src/auth/scopes.ts'
import { endSession } from '../../src/db/statements/sessions.ts'
import { signIn } from './people.ts'
import { portOf, sendRaw } from './raw.ts'
import { serve } from './world.ts'

const PUBLIC = [
  '/healthz',
  '/readyz',
  '/openapi.json',
  '/docs',
  '/docs/:file',
  '/v1/tokens',
  '/v1/tokens::refresh',
  '/v1/tokens::revoke',
]

interface Route {
  method: string
  url: string
  /** With every parameter filled in. */
  path: string
  access: Access | undefined
}

type Routed = { addHook(name: 'onRoute', hook: (route: RouteOptions) => void): unknown }

/** Collects what is registered from here on. */
function listRoutes(app: Routed): Route[] {
  const routes: Route[] = []
  app.addHook('onRoute', ({ method, url, config }) => {
    const path = url.replace(/:(?:[a-z]+)(\([^)]*\))?/g, (part, _pattern, at) =>
      url[at - 1] === ':' ? part : randomUUID(),
    )
    for (const one of [method].flat())
      routes.push({ method: one, url, path: path.replace('::', ':'), access: config?.rowbeat })
  })
  return routes
}

t.test('every route but the public ones refuses every kind of bad credential', async (t) => {
  let routes: Route[] = []
  const { call, issue, db } = await serve(t, { prepare: (app) => void (routes = listRoutes(app)) })
  const expired = await issue(['*'], '2020-01-01T00:00:00Z')
  const revoked = await issue(['*'])
  t.equal(await revokeKey(db, revoked.id), true)
  t.equal(await revokeKey(db, revoked.id), false)
  const over = await signIn(db, 'admin', 'over@example.com')
  await endSession(db, over.session.id)
  const live = await signIn(db, 'admin', 'live@example.com')
  const keys: [string, string | null][] = [
    ['no key', null],
    ['an empty key', ''],
    ['a wrong key', makeKey()],
    ['no key at all by its look', 'x'],
    ['an expired key', expired.key],
    ['a revoked key', revoked.key],
    ['a token of a sign-in that is over', over.accessToken],
    ['a refresh token', live.refreshToken],
  ]
  t.ok(routes.length >= 150, `${routes.length} routes`)
  for (const { method, url, path, access } of routes) {
    const isPublic = PUBLIC.includes(url)
    if ((access?.auth === 'public') !== isPublic)
      t.fail(`${method} ${url} is public only if it is known to be`)
    for (const [what, key] of isPublic ? [] : keys) {
      const answer = await call(method as 'GET', path, undefined, { key })
      if (answer.status !== 401) t.fail(`${method} ${url} with ${what}: ${answer.status}`)
      if (!String(answer.headers['www-authenticate']).startsWith('Bearer realm="rowbeat"'))
        t.fail(`${method} ${url} with ${what} does not say how to come in`)
    }
  }
})

t.test('role and scope decide over every route, also under a prefix', async (t) => {
  let routes: Route[] = []
  const { app, call, issue, db, rowbeat } = await serve(t, {
    prepare: (server) => void (routes = listRoutes(server)),
  })
  const mounted = fastify()
  const underneath = listRoutes(mounted)
  await mounted.register(rowbeatPlugin, { rowbeat, prefix: '/jobs' })
  t.teardown(() => mounted.close())
  await mounted.ready()
  t.strictSame(
    new Set(underneath.map(({ method, url }) => `${method} ${url}`)),
    new Set(routes.map(({ method, url }) => `${method} /jobs${url}`)),
    'the same routes are there under the prefix',
  )
  const people = await Promise.all(ROLES.map(async (role) => [role, await signIn(db, role)] as const))
  const lacking = new Map<Scope, string>()
  for (const scope of SCOPES) lacking.set(scope, (await issue(SCOPES.filter((other) => other !== scope))).key)
  let leaks = 0
  const expectRefusal = async (at: string, { method, path }: Route, key: string): Promise<void> => {
    const answer = await call(method as 'GET', path, undefined, { key })
    if (answer.status === 403 && /insufficient_scope/.test(String(answer.headers['www-authenticate']))) return
    t.fail(`${at}: ${answer.status}`)
    leaks++
  }
  for (const route of routes) {
    const { method, url, path, access } = route
    if (access?.auth !== 'scope') continue
    await expectRefusal(
      `${method} ${url} with a key that lacks ${access.scope}`,
      route,
      lacking.get(access.scope)!,
    )
    for (const [role, person] of people) {
      const may = ROLE_SCOPES[role].includes('*') || ROLE_SCOPES[role].includes(access.scope)
      if (!may) await expectRefusal(`${method} ${url} as ${role}`, route, person.accessToken)
      else if (role !== 'admin' && method === 'GET') {
        // A stream has no end: it is asked for what it refuses, behind the guard.
        const asked = url === '/v1/live' ? `${path}?no_such=1` : path
        const answer = await call('GET', asked, undefined, { key: person.accessToken })
        if (answer.status === 401 || answer.status === 403) t.fail(`${role} may ${method} ${url}`)
      }
    }
  }
  t.equal(leaks, 0)
  for (const { method, url, path, access } of underneath) {
    if (access?.auth === 'public') continue
    const options = { method: method as 'GET', url: path }
    if ((await mounted.inject(options)).statusCode !== 401) t.fail(`${method} ${url} without a key`)
    if (access?.auth !== 'scope' || ROLE_SCOPES.viewer.includes(access.scope)) continue
    const authorization = `Bearer ${people[0]![1].accessToken}`
    if ((await mounted.inject({ ...options, headers: { authorization } })).statusCode !== 403)
      t.fail(`${method} ${url} as viewer, under the prefix`)
  }
  t.ok(app.hasRoute({ method: 'GET', url: '/v1/audit' }))
})

t.test('routes of another beside it do not open it, and it does not shut theirs', async (t) => {
  const { call } = await serve(t, {
    prepare: (app) => {
      app.get('/v2/*', () => 'theirs')
      app.get('/:any/runs', () => 'theirs')
      app.addHook('onRequest', async (request) => void Object.assign(request, { user: 'admin' }))
    },
  })
  t.equal((await call('GET', '/v2/runs', undefined, { key: null })).text, 'theirs')
  t.equal((await call('GET', '/v1/runs', undefined, { key: null })).status, 401)
})

t.test('no spelling of an address gets past the guard', async (t) => {
  const { listen, rowbeat, call } = await serve(t)
  const { id } = await rowbeat.enqueue('demo.echo', { secret: 'planted' })
  const schedule = { kind: 'interval', every: 1, period: 'hours' }
  const made = await call('POST', '/v1/schedules', { name: 'planted', task: 'demo.echo', schedule })
  const planted = made.json.id as string
  const port = portOf(await listen())
  const paths = [
    '/v1/runs',
    `/v1/runs/${id}`,
    `/v1/runs/${id}/events`,
    '/v1/%72uns',
    '/%76%31/runs',
    `/v1/runs/%3${id}`,
    '//v1/runs',
    '/v1//runs',
    '/v1/runs/',
    `/v1/runs/${id}/`,
    '/v1/runs.',
    '/V1/RUNS',
    '/v1/runs;/healthz',
    '/healthz/..;/v1/runs',
    '/healthz/../v1/runs',
    '/v1/./runs',
    '/v1/runs?x=/healthz',
    '/v1/runs?key=/readyz',
    '/v1/runs#/healthz',
    '/healthz%2f..%2fv1%2fruns',
    '/v1/runs%3fx',
    '/v1/runs%00',
    'http://localhost/v1/runs',
    '/v1/schedules',
    `/v1/schedules/${planted}`,
    `/v1/schedules/${planted}:run`,
    `/v1/schedules/${planted}%3Arun`,
    `/v1/schedules/${planted}:resume/../../healthz`,
    `/v1/schedules/${planted}/firings`,
    '/v1/schedules:export',
    '/v1/schedules%3Aexport',
    '/v1/schedules:preview',
    '/v1/schedules::preview',
    '/v1/schedules/:id::run',
    '/v1/keys',
    '/v1/users/..%2fkeys',
    '/v1/audit.json',
    '/v1/me%20',
    '/v1/tokens/../keys',
    '/v1/tokens%3Arefresh/../../v1/keys',
    '*',
  ]
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'TRACE', 'QUERY', 'PROPFIND']) {
    for (const path of paths) {
      const answer = await sendRaw(
        port,
        `${method} ${path} HTTP/1.1\r\nHost: x\r\nX-Original-URL: /healthz\r\nX-Rewrite-URL: /healthz\r\nX-Forwarded-Uri: /healthz\r\nX-Forwarded-User: admin\r\nX-HTTP-Method-Override: GET\r\nConnection: close\r\n\r\n`,
      )
      t.ok([400, 401, 404].includes(answer.status), `${method} ${path} -> ${answer.status}`)
      t.notMatch(answer.body, /planted|"items"/, `${method} ${path} gives nothing away`)
    }
  }
})

t.test('the key is taken from the Authorization header alone', async (t) => {
  const { call, key } = await serve(t)
  const status = async (authorization: string): Promise<number> =>
    (await call('GET', '/v1/runs', undefined, { key: null, headers: { authorization } })).status
  t.equal(await status(`Bearer ${key}`), 200)
  t.equal(await status(`bearer  ${key}`), 200)
  t.equal(await status(key), 401)
  t.equal(await status(`Basic ${Buffer.from(`x:${key}`).toString('base64')}`), 401)
  t.equal(await status(`Bearer ${key} ${key}`), 401)
  t.equal(await status(`Bearer ${key.slice(0, -1)}`), 401)
  t.equal((await call('GET', `/v1/runs?key=${key}`, undefined, { key: null })).status, 401)
  t.equal(
    (await call('GET', '/v1/runs', undefined, { key: null, headers: { cookie: `key=${key}` } })).status,
    401,
  )
})

t.test('a key that may only write does not read a standing run by its id', async (t) => {
  const { call, issue, rowbeat } = await serve(t)
  const { id } = await rowbeat.enqueue('demo.echo', { secret: 'planted' }, { headers: { a: 'planted' } })
  const { key } = await issue(['runs:write'])
  const answer = await call('POST', '/v1/runs', { task: 'demo.echo', id }, { key })
  t.equal(answer.status, 200)
  t.notMatch(answer.text, /planted/)
  const own = await call('POST', '/v1/runs', { task: 'demo.echo', input: { a: 1 } }, { key })
  t.strictSame(own.json.input, { a: 1 })
})

t.test('a route that does not say who may call it cannot be registered', async (t) => {
  const app = fastify()
  guard(app, bearerDoor({ identify: async () => t.fail('nobody is asked') as never }), () => {})
  t.throws(() => app.get('/open', () => 'x'), { code: 'RB_INVARIANT' })
  await app.close()
})
