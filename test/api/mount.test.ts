/**
 * The plugin inside an app of somebody else, who has a parser, an error handler, hooks, a 404 and a serializer of their
 * own: it serves its routes, gives the app `app.rowbeat`, changes nothing, and takes what it opened down with it.
 */
import fastify, { type FastifyInstance } from 'fastify'
import { pino } from 'pino'
import t from 'tap'
import { rowbeatPlugin } from '../../src/api/plugin.ts'
import { issueKey } from '../../src/auth/key.ts'
import { createRowbeat, task } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'

const { sql, db, url } = await setup(t)
const { key } = await issueKey(db, { name: 'mounted', scopes: ['*'] })
const headers = { authorization: `Bearer ${key}` }
const some = task('some.task', {}, () => 1)

/** An app with one of everything that a plugin could tread on. */
function makeHost(): FastifyInstance {
  const app = fastify()
  app.decorateRequest('caller', null)
  app.addContentTypeParser('text/csv', { parseAs: 'string' }, (_request, body, done) =>
    done(null, String(body).split(',')),
  )
  app.addHook('onSend', async (_request, reply) => void reply.header('x-host', 'yes'))
  app.setErrorHandler((error, _request, reply) => reply.code(418).send({ own: (error as Error).message }))
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ own: 'nothing' }))
  app.get('/own', () => ({ own: true }))
  app.post('/own', (request) => ({ got: request.body }))
  app.get('/own/fails', () => {
    throw new Error('failure')
  })
  return app
}

const WAYS = [
  { method: 'GET', url: '/own' },
  { method: 'HEAD', url: '/own' },
  { method: 'GET', url: '/own/fails' },
  { method: 'GET', url: '/nothing' },
  { method: 'DELETE', url: '/own' },
  {
    method: 'POST',
    url: '/own',
    headers: { 'content-type': 'application/json' },
    payload: '{"a": 12345678901234567890}',
  },
  { method: 'POST', url: '/own', headers: { 'content-type': 'text/csv' }, payload: 'a,b' },
  { method: 'POST', url: '/own', headers: { 'content-type': 'text/plain' }, payload: 'plain' },
  { method: 'POST', url: '/own', headers: { 'content-type': 'application/xml' }, payload: '<a/>' },
  { method: 'POST', url: '/own', headers: { 'content-type': 'application/json' }, payload: '{' },
] as const

async function answersOf(app: FastifyInstance): Promise<object[]> {
  const answers = []
  for (const way of WAYS) {
    const { statusCode, body, headers: given } = await app.inject(way as never)
    const { date: _, ...rest } = given
    answers.push({ ...way, statusCode, body, headers: rest })
  }
  return answers
}

t.test('mounted under a prefix it serves its routes, and the app beside it is as it was', async (t) => {
  const rowbeat = createRowbeat({ db: sql, tasks: [some] })
  const [before, app] = [makeHost(), makeHost()]
  await app.register(rowbeatPlugin, { rowbeat, prefix: '/jobs' })
  t.teardown(async () => {
    await Promise.all([app.close(), before.close()])
    await rowbeat.close()
  })
  t.strictSame(await answersOf(app), await answersOf(before))

  const payload = { task: 'some.task', input: { a: 1 } }
  const made = await app.inject({ method: 'POST', url: '/jobs/v1/runs', headers, payload })
  t.equal(made.statusCode, 202, made.body)
  t.equal(made.headers.location, `/jobs/v1/runs/${made.json().id}`)
  t.equal(made.headers['x-host'], 'yes', 'hooks of the app are for its plugins too')
  t.equal((await app.inject({ url: String(made.headers.location), headers })).json().id, made.json().id)
  t.match(await app.inject({ url: '/jobs/v1/runs' }), {
    statusCode: 401,
    headers: { 'content-type': /problem\+json/ },
  })
  t.equal((await app.inject({ url: '/jobs/healthz' })).statusCode, 200)
  t.strictSame((await app.inject({ url: '/v1/runs' })).json(), { own: 'nothing' })
  t.strictSame((await app.inject({ url: '/jobs/nothing' })).json(), { own: 'nothing' })
  t.match((await app.inject({ method: 'POST', url: '/jobs/v1/runs', headers, payload: 'a=1' })).json(), {
    code: 'RB_MEDIA_TYPE_UNKNOWN',
  })
})

t.test('app.rowbeat is there for routes of the app, and enqueues', async (t) => {
  const app = fastify()
  t.teardown(() => app.close())
  app.post('/orders', async () => ({ run: (await app.rowbeat.enqueue(some)).id }))
  app.register(async (inner) => {
    inner.get('/inner', async () => ({ same: inner.rowbeat === app.rowbeat }))
  })
  await app.register(rowbeatPlugin, { databaseUrl: url, tasks: { some }, connections: 2, prefix: '/jobs' })
  const { run } = (await app.inject({ method: 'POST', url: '/orders' })).json()
  t.match((await app.inject({ url: `/jobs/v1/runs/${run}`, headers })).json(), { task: 'some.task' })
  t.strictSame((await app.inject({ url: '/inner' })).json(), { same: true })
})

t.test(
  'with a databaseUrl its connections are its own, and end with the app; a rowbeat that was given stays',
  async (t) => {
    const open = async (): Promise<number> => {
      const [row] =
        await sql`select count(*)::int as n from pg_stat_activity where datname = current_database() and application_name = 'rowbeat api'`
      return row!.n
    }
    await until('what others opened is closed', async () => (await open()) === 0)
    const app = fastify()
    await app.register(rowbeatPlugin, { databaseUrl: url, tasks: [some] })
    const base = await app.listen({ port: 0, host: '127.0.0.1' })
    const { id } = await app.rowbeat.enqueue(some, undefined, { delay: '1 hour' })
    const stream = await fetch(`${base}/v1/runs/${id}/events`, { headers })
    const reader = stream.body!.getReader()
    await reader.read()
    t.ok((await open()) > 0)
    await app.close()
    let ended = false
    while (!ended) ended = (await reader.read()).done
    await until('its connections are closed', async () => (await open()) === 0)

    const rowbeat = createRowbeat({ databaseUrl: url, tasks: [some], connections: 1 })
    const other = fastify()
    await other.register(rowbeatPlugin, { rowbeat })
    await other.ready()
    await other.close()
    t.ok((await rowbeat.enqueue(some)).id, 'it works on')
    await rowbeat.close()
  },
)

t.test('its words go to the log of the app, with the ids of its requests', async (t) => {
  const said: Record<string, unknown>[] = []
  const loggerInstance = pino(
    { level: 'info' },
    { write: (line: string) => void said.push(JSON.parse(line)) },
  )
  const app = fastify({ loggerInstance: loggerInstance.child({ app: 'shop' }), genReqId: () => 'own-id' })
  const rowbeat = createRowbeat({ databaseUrl: 'postgres://nobody@127.0.0.1:9/none' })
  t.teardown(() => Promise.all([app.close(), rowbeat.close()]))
  await app.register(rowbeatPlugin, { rowbeat })
  const answer = await app.inject({ url: '/v1/runs', headers })
  t.match(answer, { statusCode: 503, headers: { 'x-request-id': 'own-id' } })
  t.ok(
    said.some(
      (line) => line.app === 'shop' && line.code === 'RB_DB_UNREACHABLE' && line.request_id === 'own-id',
    ),
  )
})

t.test('twice in one app: the same rowbeat under two prefixes, another in a scope of its own', async (t) => {
  const [one, two] = [createRowbeat({ db: sql }), createRowbeat({ db: sql })]
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(rowbeatPlugin, { rowbeat: one, prefix: '/a' })
  await app.register(rowbeatPlugin, { rowbeat: one, prefix: '/b' })
  for (const prefix of ['/a', '/b'])
    t.equal((await app.inject({ url: `${prefix}/v1/runs`, headers })).statusCode, 200)
  const third = fastify()
  await third.register(rowbeatPlugin, { rowbeat: one, prefix: '/a' })
  await t.rejects(Promise.resolve(third.register(rowbeatPlugin, { rowbeat: two, prefix: '/c' })), {
    code: 'RB_CONFIG_INVALID',
    message: /another rowbeat/,
  })
  const fourth = fastify()
  t.teardown(() => fourth.close())
  for (const [prefix, rowbeat] of [
    ['/a', one],
    ['/b', two],
  ] as const)
    fourth.register(async (scope) => {
      await scope.register(rowbeatPlugin, { rowbeat, prefix })
      scope.get(`${prefix}/same`, async () => ({ same: scope.rowbeat === rowbeat }))
    })
  for (const prefix of ['/a', '/b'])
    t.match((await fourth.inject({ url: `${prefix}/same` })).json(), { same: true })
})

t.test('without a rowbeat or a database it says what is missing', async (t) => {
  for (const options of [{}, { tasks: [some] }, { rowbeat: {} }, { rowbeat: null }])
    await t.rejects(Promise.resolve(fastify().register(rowbeatPlugin, options as never)), {
      code: 'RB_CONFIG_INVALID',
    })
})
