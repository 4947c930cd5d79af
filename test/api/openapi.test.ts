/** /openapi.json: linted, its examples sent, and held against the description of the last release. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import t from 'tap'
import { ROOT } from '../helpers/process.ts'
import { operationsOf } from './fuzz/requests.ts'
import { findBreaks } from './openapi/contract.ts'
import { serve, type Answer } from './world.ts'

const world = await serve(t)
const { call } = world
const document = (await call('GET', '/openapi.json', undefined, { key: null })).json as Record<string, any>
const operations = operationsOf(document)
const released = JSON.parse(readFileSync(join(ROOT, 'test/fixtures/openapi/0.1.0.json'), 'utf8')) as object

t.test('it is public, and told apart by its ETag', async (t) => {
  const first = await call('GET', '/openapi.json', undefined, { key: null })
  t.match(first.headers, { 'content-type': /^application\/json/, 'cache-control': 'no-cache' })
  const again = await call('GET', '/openapi.json', undefined, {
    key: null,
    headers: { 'if-none-match': `"x", W/${first.headers.etag}` },
  })
  t.equal(again.status, 304)
  t.equal(again.text, '')
  t.equal(document.openapi, '3.1.0')
  t.equal(document.info.version, '1.2.3')
})

t.test('it is good OpenAPI by the recommended rules', async (t) => {
  const config = await createConfig({ extends: ['recommended'] })
  const lint = async (source: object) =>
    (await lintFromString({ source: JSON.stringify(source), config })).map(
      ({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer}`,
    )
  t.strictSame(await lint(document), [])
  const spoilt = structuredClone(document)
  spoilt.paths['/v1/runs'].get.operationId = 'getRun'
  t.match(await lint(spoilt), [/operationId/])
})

t.test('every endpoint is in it, with its scope', async (t) => {
  for (const { told, path, method } of operations) {
    if (told.security) continue
    t.ok(
      told['x-scope'] || ['getMe', 'signOut'].includes(told.operationId),
      `${method} ${path} names a scope`,
    )
    t.ok(told.responses['401'] && told.responses['503'], `${method} ${path} may be 401 and 503`)
  }
  t.ok(operations.length > 60, `${operations.length} operations`)
})

/** What an example is sent to: made anew for each. */
async function subjectOf(noun: string, id: string): Promise<string> {
  if (noun === 'queues') return 'default'
  if (noun === 'control') return 'ping'
  const make = operations.find(({ method, path }) => method === 'POST' && path === `/v1/${noun}`)!
  const example =
    noun === 'runs' ? { task: 'demo.add', input: { x: 1, y: 2 }, delay: 60 } : exampleOf(make.told)
  const { json } = await call('POST', make.path, { ...example, ...own(example) })
  if (id === 'retryRun') await call('POST', `/v1/runs/${json.id}:revoke`)
  return json.id as string
}

const exampleOf = (told: Record<string, any>): any => told.requestBody?.content['application/json'].example

/** What no two may share. */
function own(example: Record<string, unknown>): object {
  return {
    ...(example.name === undefined ? {} : { name: `one of ${operations.length} ${Math.random()}` }),
    ...(example.email === undefined ? {} : { email: `${Math.random()}@example.com` }),
  }
}

t.test('every example in it is taken', async (t) => {
  await call('PUT', '/v1/queues/default', {})
  const { email, password } = exampleOf(operations.find(({ id }) => id === 'signIn')!.told)
  const clean = async ({ headers }: Answer): Promise<unknown> =>
    typeof headers.location === 'string' && !/runs|operations|queues/.test(headers.location)
      ? await call('DELETE', headers.location, undefined, { headers: { 'if-match': '*' } })
      : null
  const seen: string[] = []
  for (const { id, method, path, told } of operations) {
    const example = exampleOf(told)
    if (example === undefined) continue
    seen.push(id)
    const noun = path.split(/[/:]/)[2]!
    if (id === 'signIn') await call('POST', '/v1/users', { email, password, role: 'viewer' })
    const subject = path.includes('{') ? await subjectOf(noun, id) : ''
    const answer = await call(method as 'POST', path.replace(/\{\w+\}/, subject), example, {
      headers: { 'if-match': '*' },
    })
    t.ok(answer.status < 300, `${id} ${answer.status} ${answer.text.slice(0, 300)}`)
    if (!path.includes('{')) await clean(answer)
    else if (['schedules', 'webhooks', 'users', 'keys'].includes(noun))
      await call('DELETE', `/v1/${noun}/${subject}`, undefined, { headers: { 'if-match': '*' } })
  }
  t.ok(seen.length >= 20, seen.join(' '))
})

t.test('nothing that the last release told is taken away', (t) => {
  t.strictSame(findBreaks(released, document), [])
  t.end()
})

t.test('what would break a client is found', (t) => {
  const broken = (change: (document: Record<string, any>) => void): string[] => {
    const after = structuredClone(document)
    change(after)
    return findBreaks(document, after)
  }
  const schemas = (after: Record<string, any>): Record<string, any> => after.components.schemas
  const run = (after: Record<string, any>): any => schemas(after).Run
  const asked = (after: Record<string, any>): any => schemas(after).RunRequest
  t.strictSame(
    broken(() => {}),
    [],
  )
  t.match(
    broken((after) => delete after.paths['/v1/queues']),
    [/GET \/v1\/queues is gone/],
  )
  t.match(
    broken((after) => delete after.paths['/v1/runs/{id}'].delete),
    [/DELETE .* is gone/],
  )
  t.match(
    broken((after) => delete after.paths['/v1/runs'].post.responses['200']),
    [/200 is gone/],
  )
  t.match(
    broken((after) => delete run(after).properties.worker),
    /worker is gone/,
  )
  t.match(
    broken((after) => (run(after).required = ['id'])),
    /not always there/,
  )
  t.match(
    broken((after) => (run(after).properties.attempt = { type: 'string' })),
    /may be string/,
  )
  t.match(
    broken((after) => delete asked(after).properties.delay),
    [/delay is gone/],
  )
  t.match(
    broken((after) => asked(after).required.push('queue')),
    [/queue is needed now/],
  )
  t.match(
    broken((after) => asked(after).properties.on_conflict.enum.pop()),
    /takes .* no more/,
  )
  t.match(
    broken((after) => (asked(after).properties.tags.maxItems = 3)),
    [/maxItems is 3/],
  )
  t.match(
    broken((after) => (asked(after).properties.priority.type = 'string')),
    /takes string/,
  )
  t.match(
    broken((after) => (after.paths['/v1/runs'].get['x-scope'] = 'runs:write')),
    [/needs runs:write/],
  )
  t.match(
    broken((after) => (after.paths['/v1/runs'].get.parameters = [])).length,
    document.paths['/v1/runs'].get.parameters.length,
  )
  t.match(
    broken((after) => (after.paths['/v1/runs'].get.operationId = 'x')),
    [/called x/],
  )

  const added = broken((after) => {
    after.paths['/v1/new'] = { get: { operationId: 'getNew', responses: {} } }
    run(after).properties.new = { type: 'string' }
    run(after).required.push('new')
    asked(after).properties.new = { type: 'string' }
    schemas(after).RunState.enum.push('NEW')
    after.paths['/v1/runs'].get.parameters.push({ name: 'new', in: 'query', schema: { type: 'string' } })
  })
  t.strictSame(added, [], 'additions are none')
  t.end()
})
