import fastify from 'fastify'
import t from 'tap'
import { api } from '../../src/api/plugin.ts'
import { issueKey } from '../../src/auth/key.ts'
import { createRowbeat } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'

t.test(
  'the API serves inside an app of somebody else, under a prefix, and changes nothing there',
  async (t) => {
    const { sql, db } = await setup(t)
    const rowbeat = createRowbeat({ db: sql })
    const { key } = await issueKey(db, { name: 'mounted', scopes: ['*'] })
    const app = fastify()
    t.teardown(async () => {
      await app.close()
      await rowbeat.close()
    })
    app.decorateRequest('caller', null)
    app.get('/own', () => ({ own: true }))
    app.post('/own', (request) => ({ got: request.body }))
    app.get('/own/fails', () => {
      throw new Error('own failure')
    })
    await app.register(api, { rowbeat, prefix: '/jobs' })
    await sql`insert into rowbeat.tasks (name) values ('some.task')`

    const headers = { authorization: `Bearer ${key}` }
    const made = await app.inject({
      method: 'POST',
      url: '/jobs/v1/runs',
      headers,
      payload: { task: 'some.task', input: { a: 1 } },
    })
    t.equal(made.statusCode, 202)
    t.equal(made.headers.location, `/jobs/v1/runs/${made.json().id}`)
    t.equal((await app.inject({ url: String(made.headers.location), headers })).json().id, made.json().id)
    t.equal((await app.inject({ url: '/jobs/v1/runs' })).statusCode, 401)
    t.equal((await app.inject({ url: '/jobs/healthz' })).statusCode, 200)
    t.equal((await app.inject({ url: '/v1/runs' })).statusCode, 404)

    t.strictSame((await app.inject({ url: '/own' })).json(), { own: true })
    t.equal((await app.inject({ url: '/own' })).headers['cache-control'], undefined)
    t.strictSame((await app.inject({ method: 'POST', url: '/own', payload: { a: 1 } })).json(), {
      got: { a: 1 },
    })
    t.match((await app.inject({ url: '/own/fails' })).json(), { statusCode: 500, message: 'own failure' })
    t.match((await app.inject({ url: '/jobs/nothing' })).json(), { statusCode: 404 })
  },
)

t.test('without a rowbeat it says what is missing', async (t) => {
  const app = fastify()
  await t.rejects(Promise.resolve(app.register(api, {} as never)), { code: 'RB_CONFIG_INVALID' })
})
