import { randomUUID } from 'node:crypto'
import fastify, { type RouteOptions } from 'fastify'
import t from 'tap'
import type { Access } from '../../src/api/guard.ts'
import { guard } from '../../src/api/guard.ts'
import { makeKey, revokeKey } from '../../src/auth/key.ts'
import { SCOPES } from '../../src/auth/scopes.ts'
import { portOf, sendRaw } from './raw.ts'
import { serve } from './world.ts'

const PUBLIC = ['/healthz', '/readyz']

t.test('every route but the public ones refuses every kind of bad key', async (t) => {
  const routes: { method: string; url: string; access: Access | undefined }[] = []
  const prepare = (app: { addHook(name: 'onRoute', hook: (route: RouteOptions) => void): unknown }): void => {
    app.addHook('onRoute', ({ method, url, config }) => {
      for (const one of [method].flat()) routes.push({ method: one, url, access: config?.rowbeat })
    })
  }
  const { call, issue, db } = await serve(t, { prepare })
  const expired = await issue(['*'], '2020-01-01T00:00:00Z')
  const revoked = await issue(['*'])
  t.equal(await revokeKey(db, revoked.id), true)
  t.equal(await revokeKey(db, revoked.id), false)
  const keys: [string, string | null][] = [
    ['no key', null],
    ['an empty key', ''],
    ['a wrong key', makeKey()],
    ['no key at all by its look', 'x'],
    ['an expired key', expired.key],
    ['a revoked key', revoked.key],
  ]
  t.ok(routes.length >= 100, `${routes.length} routes`)
  for (const { method, url, access } of routes) {
    t.ok(access, `${method} ${url} says who may call it`)
    const path = url.replace(/:(?:id|name|what|command)(\([^)]*\))?/g, randomUUID()).replace('::', ':')
    const isPublic = PUBLIC.includes(url)
    t.equal(access?.auth === 'public', isPublic, `${method} ${url} is public only if it is known to be`)
    for (const [what, key] of keys) {
      const answer = await call(method as 'GET', path, undefined, { key })
      if (isPublic) t.not(answer.status, 401, `${method} ${url} with ${what}`)
      else {
        t.equal(answer.status, 401, `${method} ${url} with ${what}`)
        t.match(String(answer.headers['www-authenticate']), /^Bearer realm="rowbeat"/)
      }
    }
    for (const scope of SCOPES) {
      if (access?.auth !== 'scope' || access.scope === scope) continue
      const answer = await call(method as 'GET', path, undefined, { key: (await issue([scope])).key })
      t.equal(answer.status, 403, `${method} ${url} with only ${scope}`)
      t.match(String(answer.headers['www-authenticate']), /insufficient_scope/)
    }
  }
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
    '*',
  ]
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST', 'TRACE', 'QUERY', 'PROPFIND']) {
    for (const path of paths) {
      const answer = await sendRaw(
        port,
        `${method} ${path} HTTP/1.1\r\nHost: x\r\nX-Original-URL: /healthz\r\nX-HTTP-Method-Override: GET\r\nConnection: close\r\n\r\n`,
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
  guard(app, { identify: async () => t.fail('nobody is asked') as never })
  t.throws(() => app.get('/open', () => 'x'), { code: 'RB_INVARIANT' })
  await app.close()
})
