/** How many requests one caller may send, and the headers that every answer has. */
import fastify from 'fastify'
import t from 'tap'
import { createRateLimit } from '../../src/api/rate-limit.ts'
import { makeKey } from '../../src/auth/key.ts'
import { NO_RATE_LIMITS, parseRateLimits } from '../../src/config.ts'
import { signIn } from './people.ts'
import { serve } from './world.ts'

t.test('each key, each person and each address has its own, told in headers', async (t) => {
  const rateLimits = parseRateLimits('key:3/h,user:2/m,anonymous:4/m')
  const { call, issue, db } = await serve(t, { rateLimits })
  const [{ key }, { key: other }] = [await issue(['runs:read']), await issue(['runs:read'])]
  const get = async (one: string | null) => await call('GET', '/v1/runs', undefined, { key: one })
  for (const left of [2, 1, 0]) {
    const answer = await get(key)
    t.equal(answer.status, 200)
    t.equal(answer.headers['ratelimit-policy'], '"key";q=3;w=3600')
    t.match(String(answer.headers.ratelimit), new RegExp(`^"key";r=${left};t=3(600|59\\d)$`))
  }
  const over = await get(key)
  t.match(over.json, { status: 429, code: 'RB_RATE_LIMITED' })
  t.ok(Number(over.headers['retry-after']) > 3000)
  t.match(String(over.headers.ratelimit), /r=0/)
  t.equal((await get(other)).status, 200)
  const { accessToken } = await signIn(db, 'viewer')
  t.strictSame(
    [(await get(accessToken)).status, (await get(accessToken)).status, (await get(accessToken)).status],
    [200, 200, 429],
  )
  for (let n = 0; n < 4; n++) t.equal((await get(n % 2 ? null : makeKey())).status, 401)
  const last = await get(null)
  t.equal(last.status, 429)
  t.equal((await get(other)).status, 200, 'who has a key is not held up by who has none')
  t.equal((await call('GET', '/healthz', undefined, { key: null })).status, 200)
  const refresh = async () =>
    (await call('POST', '/v1/tokens:refresh', { refresh_token: 'x' }, { key: null })).status
  t.strictSame(
    [await refresh(), await refresh(), await refresh(), await refresh(), await refresh()],
    [401, 401, 401, 401, 429],
  )
})

t.test('without a limit nothing is counted or told', async (t) => {
  const { call } = await serve(t, { rateLimits: NO_RATE_LIMITS })
  for (let n = 0; n < 20; n++) {
    const answer = await call('GET', '/v1/runs', undefined, { key: null })
    t.equal(answer.status, 401)
    t.notOk(answer.headers.ratelimit)
  }
})

t.test('who was forgotten begins anew, and memory has an end', async (t) => {
  const app = fastify()
  app.get('/', async (request, reply) => {
    const spend = createRateLimit(parseRateLimits('anonymous:1/h'))
    spend('anonymous', 'first', reply)
    t.throws(() => spend('anonymous', 'first', reply), { code: 'RB_RATE_LIMITED' })
    for (let n = 0; n < 20_000; n++) spend('anonymous', `other ${n}`, reply)
    t.doesNotThrow(() => spend('anonymous', 'first', reply))
    return request.id
  })
  t.equal((await app.inject('/')).statusCode, 200)
  await app.close()
})

t.test('the setting is read strictly', async (t) => {
  t.strictSame(parseRateLimits('none'), NO_RATE_LIMITS)
  t.strictSame(parseRateLimits('anonymous:120/m, key:1000/s'), {
    key: { count: 1000, perMs: 1000 },
    user: null,
    anonymous: { count: 120, perMs: 60_000 },
  })
  for (const wrong of ['', 'key', 'key:0/s', 'key:5', 'key:5/d', 'all:5/s', 'key:5/s,'])
    t.throws(() => parseRateLimits(wrong), { code: 'RB_CONFIG_INVALID' }, wrong)
})

t.test('every answer has the headers that an API should, and no other', async (t) => {
  const { call, key } = await serve(t)
  const names = async (path: string, one: string | null) => {
    const { headers } = await call('GET', path, undefined, { key: one })
    const { date: _date, 'x-request-id': _id, 'content-length': _length, ...rest } = headers
    return rest
  }
  const always = {
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    connection: 'keep-alive',
  }
  t.strictSame(await names('/v1/queues', key), {
    ...always,
    'content-type': 'application/json; charset=utf-8',
  })
  t.strictSame(await names('/v1/queues', null), {
    ...always,
    'content-type': 'application/problem+json; charset=utf-8',
    'www-authenticate': 'Bearer realm="rowbeat"',
  })
  t.strictSame(await names('/healthz', null), {
    ...always,
    'content-type': 'application/json; charset=utf-8',
  })
  const nowhere = await names('/v1/nowhere', null)
  t.match(nowhere, { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
})
