/** The to-do API answers as a Django REST framework API does, and its log line is a run of the same transaction. */
import { drizzle } from 'drizzle-orm/postgres-js'
import fastify from 'fastify'
import { SignJWT } from 'jose'
import postgres from 'postgres'
import t, { type Test } from 'tap'
import { routes } from '../../src/examples/app.ts'
import { createTask } from '../../src/examples/todo/routes.ts'
import { parseRate } from '../../src/examples/todo/throttle.ts'
import { until } from '../helpers/wait.ts'
import { call, setupExamples } from './world.ts'

const SECRET = 'a secret of the test, which is long enough'
const PASSWORD = 'correct horse'
Object.assign(process.env, {
  TODO_SECRET: SECRET,
  TODO_THROTTLE_ANON: '1000/hour',
  TODO_THROTTLE_USER: '1000/hour',
})

const world = await setupExamples(t)
const { app, sql } = world
const ask = call.bind(null, app)
const [ada, bob] = await Promise.all(['ada', 'bob'].map(signUp))

async function signUp(username: string): Promise<{ id: number; token: string; refresh: string }> {
  const user = await ask('POST', '/users', {
    username,
    email: `${username}@example.net`,
    password: PASSWORD,
  })
  const { json } = await ask('POST', '/api/token/', { username, password: PASSWORD })
  return { id: user.json.id, token: json.access, refresh: json.refresh }
}

async function add(title: string, values: object = {}, { token } = ada!): Promise<any> {
  const { status, json } = await ask('POST', '/tasks/', { title, ...values }, { token })
  if (status !== 201) throw new Error(JSON.stringify(json))
  return json
}

const logOf = async (taskId: number): Promise<string[]> =>
  (await sql`select message from examples.task_log where task_id = ${taskId} order by id`).map(
    ({ message }) => message,
  )

await t.test('tokens are simplejwt’s', async (t) => {
  const { status, json } = await ask('POST', '/api/token/', { username: 'ada', password: PASSWORD })
  t.equal(status, 200)
  t.strictSame(Object.keys(json).toSorted(), ['access', 'refresh'])
  const claims = (token: string) => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())
  const [access, refresh] = [claims(json.access), claims(json.refresh)]
  t.match(access, { token_type: 'access', user_id: String(ada!.id) })
  t.match(refresh, { token_type: 'refresh', user_id: String(ada!.id) })
  t.strictSame([access.exp - access.iat, refresh.exp - refresh.iat], [300, 86_400])

  const renewed = await ask('POST', '/api/token/refresh/', { refresh: json.refresh })
  t.strictSame(Object.keys(renewed.json), ['access'])
  t.equal((await ask('POST', '/tasks/', { title: 'x' }, { token: renewed.json.access })).status, 201)

  t.match(await ask('POST', '/api/token/', { username: 'ada', password: 'wrong' }), {
    status: 401,
    headers: { 'www-authenticate': 'Bearer realm="api"' },
    json: { detail: 'No active account found with the given credentials' },
  })
  t.match(await ask('POST', '/api/token/', {}), {
    status: 400,
    json: { username: ['This field is required.'], password: ['This field is required.'] },
  })
  t.match(await ask('POST', '/api/token/refresh/', { refresh: json.access }), {
    status: 401,
    json: { detail: 'Token has wrong type', code: 'token_not_valid' },
  })
})

await t.test('a token that is not ours, is for another purpose or is over opens nothing', async (t) => {
  const key = new TextEncoder().encode(SECRET)
  const forge = (claims: object, { alg = 'HS256', secret = key, audience = 'rowbeat examples: todo' } = {}) =>
    new SignJWT({ token_type: 'access', user_id: String(ada!.id), jti: 'x', ...claims })
      .setProtectedHeader({ alg })
      .setIssuedAt()
      .setExpirationTime('1 minute')
      .setAudience(audience)
      .sign(secret)
  t.equal(
    (await ask('GET', '/tasks/', undefined, { token: await forge({}) })).status,
    200,
    'the forger is able',
  )
  const none = [{ alg: 'none' }, { token_type: 'access', user_id: String(ada!.id), exp: 9_999_999_999 }]
  const over = Math.floor(Date.now() / 1000) - 60
  const body = Buffer.from(JSON.stringify({ token_type: 'access', user_id: '2' })).toString('base64url')
  const forged = {
    'another secret': await forge({}, { secret: new TextEncoder().encode('b'.repeat(40)) }),
    'another algorithm': await forge({}, { alg: 'HS512' }),
    'another audience': await forge({}, { audience: 'somebody else' }),
    'a refresh token': ada!.refresh,
    'no user': await forge({ user_id: undefined }),
    'a user who is gone': await forge({ user_id: '999999' }),
    'no signature': `${none.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`,
    'another body': ada!.token.replace(/\.[^.]+\./, `.${body}.`),
    'no token': 'nonsense',
  }
  for (const [what, token] of Object.entries(forged))
    t.match(await ask('GET', '/tasks/', undefined, { token }), {
      status: 401,
      headers: { 'www-authenticate': 'Bearer realm="api"' },
      json: { detail: String },
    }, what) // prettier-ignore
  const expired = await new SignJWT({ token_type: 'access', user_id: '1', jti: 'x' })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuedAt(over - 300)
    .setExpirationTime(over)
    .setAudience('rowbeat examples: todo')
    .sign(key)
  t.match(await ask('GET', '/tasks/', undefined, { token: expired }), {
    status: 401,
    json: {
      detail: 'Given token not valid for any token type',
      code: 'token_not_valid',
      messages: [{ token_class: 'AccessToken', token_type: 'access', message: 'Token is expired' }],
    },
  })
  t.match(await ask('GET', '/tasks/', undefined, { headers: { authorization: 'Bearer a b' } }), {
    status: 401,
    json: { code: 'bad_authorization_header' },
  })
  const basic = { authorization: 'Basic YTpi' }
  t.equal(
    (await ask('GET', '/tasks/', undefined, { headers: basic })).status,
    200,
    'another scheme is nobody',
  )
})

await t.test('everybody reads, the signed in write, and owners alone change', async (t) => {
  const task = await add('Water the plants', { description: 'all of them', completed: 'false' })
  t.match(task, { title: 'Water the plants', description: 'all of them', completed: false, owner: 'ada' })
  t.match([task.created_at, task.updated_at], [/^\d{4}-.*Z$/, /^\d{4}-.*Z$/])
  const url = `/tasks/${task.id}/`
  t.strictSame((await ask('GET', url)).json, task)

  for (const [method, body] of [['POST', { title: 'x' }], ['PUT', {}], ['PATCH', {}], ['DELETE']] as const)
    // prettier-ignore
    t.match(await ask(method, method === 'POST' ? '/tasks/' : url, body), {
      status: 401,
      headers: { 'www-authenticate': 'Bearer realm="api"' },
      json: { detail: 'Authentication credentials were not provided.' },
    })
  for (const [method, body] of [['PUT', { title: 'x' }], ['PATCH', { title: 'x' }], ['DELETE']] as const)
    t.match(await ask(method, url, body, { token: bob!.token }), {
      status: 403,
      json: { detail: 'You do not have permission to perform this action.' },
    })
  t.strictSame((await ask('GET', url)).json, task, 'nothing has changed')

  const changed = await ask('PATCH', url, { completed: true }, { token: ada!.token })
  t.match(changed, { status: 200, json: { completed: true, title: 'Water the plants', owner: 'ada' } })
  t.ok(changed.json.updated_at >= task.updated_at)
  t.match(await ask('PUT', url, { completed: false }, { token: ada!.token }), {
    status: 400,
    json: { title: ['This field is required.'] },
  })
  t.equal((await ask('PUT', url, { title: 'Done', owner: 'bob' }, { token: ada!.token })).json.owner, 'ada')
  const gone = await ask('DELETE', url, undefined, { token: ada!.token })
  t.match({ status: gone.status, text: gone.text }, { status: 204, text: '' })
  for (const path of [url, '/tasks/0/', '/tasks/x/', '/tasks/99999999999999999999/'])
    t.match(await ask('GET', path), { status: 404, json: { detail: 'No Task matches the given query.' } })

  t.match(await ask('GET', `${url.slice(0, -1)}`), { status: 301, headers: { location: url } })
  t.match(await ask('GET', '/tasks?page=2'), { status: 301, headers: { location: '/tasks/?page=2' } })
  t.match(await ask('DELETE', '/tasks/', undefined, { token: ada!.token }), {
    status: 405,
    headers: { allow: 'GET, POST' },
    json: { detail: 'Method "DELETE" not allowed.' },
  })
})

await t.test('what is wrong with a body is told field by field', async (t) => {
  const long = 'Ensure this field has no more than 200 characters.'
  const cases: [unknown, object][] = [
    [{}, { title: ['This field is required.'] }],
    [{ title: null, description: null }, { title: ['This field may not be null.'], description: ['This field may not be null.'] }],
    [{ title: '  ' }, { title: ['This field may not be blank.'] }],
    [{ title: ['x'] }, { title: ['Not a valid string.'] }],
    [{ title: '📚'.repeat(201) }, { title: [long] }],
    [{ title: 'a\0b' }, { title: ['Null characters are not allowed.'] }],
    [{ title: 'x', completed: 'perhaps' }, { completed: ['Must be a valid boolean.'] }],
    [[], { non_field_errors: ['Invalid data. Expected a dictionary, but got list.'] }],
    ['"x"', { non_field_errors: ['Invalid data. Expected a dictionary, but got str.'] }],
    ['{"title": ', { detail: /^JSON parse error - / }],
    ['', { title: ['This field is required.'] }],
    ['{"__proto__": {"title": "x"}}', { title: ['This field is required.'] }],
  ] // prettier-ignore
  const headers = { 'content-type': 'application/json' }
  for (const [body, json] of cases)
    t.match(
      await ask('POST', '/tasks/', body, { token: ada!.token, headers }),
      { status: 400, json },
      JSON.stringify(body),
    )
  const text = { headers: { 'content-type': 'text/plain' }, token: ada!.token }
  t.match(await ask('POST', '/tasks/', 'title=x', text), {
    status: 415,
    json: { detail: 'Unsupported media type "text/plain" in request.' },
  })
  t.equal((await add('📚'.repeat(200))).title.length, 400)
})

await t.test('the list filters, searches, sorts, and has pages of five', async (t) => {
  await sql`truncate examples.tasks`
  const titles = ['Buy bread', 'buy milk', 'Call 100% of them', 'Drink a_b', 'Eat', 'Feed the cat', 'Go home']
  const made = []
  for (const [n, title] of titles.entries())
    made.push(await add(title, { completed: n % 2 === 1, description: `number ${n}` }, n < 5 ? ada : bob))
  const list = async (query: string) => (await ask('GET', `/tasks/${query}`, undefined, { headers: { host: 'todo.test' } })).json // prettier-ignore
  const titlesOf = async (query: string) => (await list(query)).results.map((one: any) => one.title)

  const first = await list('')
  t.match(first, { count: 7, next: 'http://todo.test/tasks/?page=2', previous: null })
  t.strictSame(first.results, made.slice(0, 5))
  t.match(await list('?page=2'), { count: 7, next: null, previous: 'http://todo.test/tasks/' })
  t.strictSame(await titlesOf('?page=last'), titles.slice(5))
  for (const page of ['0', '3', '-1', 'x', '99999999999999999999'])
    t.match(
      await ask('GET', `/tasks/?page=${page}`),
      { status: 404, json: { detail: 'Invalid page.' } },
      page,
    )
  t.match(await list('?search=nowhere'), { count: 0, next: null, previous: null, results: [] })

  t.strictSame(await titlesOf('?completed=true'), [titles[1], titles[3], titles[5]])
  t.equal((await list('?completed=False')).count, 4)
  t.equal((await list('?completed=maybe')).count, 7)
  t.strictSame(await titlesOf('?owner=bob'), titles.slice(5))
  t.strictSame(await titlesOf(`?owner=${bob!.id}`), titles.slice(5))
  t.equal((await list('?owner=nobody')).count, 0)
  t.strictSame(await titlesOf('?search=BUY'), titles.slice(0, 2))
  t.strictSame(await titlesOf('?search=buy+mil'), [titles[1]])
  t.strictSame(await titlesOf('?search=%22number+3%22'), [titles[3]])
  t.strictSame(await titlesOf('?search=100%25'), [titles[2]])
  t.strictSame(await titlesOf('?search=a_b'), [titles[3]])
  t.equal((await list('?search=%00')).count, 7)
  t.strictSame(await titlesOf('?ordering=-created_at'), titles.toReversed().slice(0, 5))
  t.strictSame(await titlesOf('?ordering=-completed,-id&page=2'), [titles[2], titles[0]])
  t.strictSame(await titlesOf('?ordering=password,constructor'), titles.slice(0, 5))
  t.equal(
    (await list('?page=1&search=number&ordering=-id&completed=maybe')).next,
    'http://todo.test/tasks/?completed=maybe&ordering=-id&page=2&search=number',
  )
})

await t.test('updates and deletes are logged by signals, in the same transaction', async (t) => {
  const { id } = await add('One')
  const token = ada!.token
  await ask('PATCH', `/tasks/${id}/`, { title: 'Two', completed: true }, { token })
  await ask('PATCH', `/tasks/${id}/`, { title: 'Two' }, { token })
  await ask('DELETE', `/tasks/${id}/`, undefined, { token })
  t.strictSame(await logOf(id), [
    'Task "Two" was updated: title "One" -> "Two", completed false -> true',
    'Task "Two" was deleted',
  ])
  const other = await add('Stays')
  await sql.unsafe(`create function examples.refuse() returns trigger language plpgsql as $$ begin raise 'no room'; end $$;
    create trigger refuse before insert on examples.task_log for each row execute function examples.refuse()`)
  t.equal((await ask('DELETE', `/tasks/${other.id}/`, undefined, { token })).status, 500)
  t.equal((await ask('PATCH', `/tasks/${other.id}/`, { title: 'Went' }, { token })).status, 500)
  await sql`drop function examples.refuse() cascade`
  t.equal((await ask('GET', `/tasks/${other.id}/`)).json.title, 'Stays', 'what cannot be logged is not done')
})

await t.test('a task is logged by a run of the same commit, once, whenever a worker comes', async (t) => {
  await sql`truncate examples.task_log`
  const client = postgres(world.url, { max: 1 })
  t.teardown(() => client.end({ timeout: 1 }))
  const boom = new Error('boom')
  let undone = 0
  const rolledBack = drizzle({ client }).transaction(async (tx) => {
    undone = (await createTask(tx, world.rowbeat, { title: 'Never', ownerId: ada!.id })).id
    throw boom
  })
  await t.rejects(rolledBack, boom)
  const [{ runs }] = (await sql`select count(*)::int as runs from rowbeat.runs
    where task = 'todo.log_created' and input @> ${sql.json({ task_id: undone })}`) as unknown as [
    { runs: number },
  ]
  t.equal(runs, 0, 'no task, no run')

  const kept = await add('Kept')
  const deleted = await add('Deleted before anybody came')
  await ask('DELETE', `/tasks/${deleted.id}/`, undefined, { token: ada!.token })
  t.strictSame(await logOf(kept.id), [])
  await world.work()
  await until('it is logged', async () => (await logOf(kept.id)).length > 0)
  t.strictSame(await logOf(kept.id), ['Task "Kept" was created by ada'])
  const again = await world.rowbeat.enqueue('todo.log_created', { task_id: kept.id })
  t.strictSame(await again.result({ timeout: '10s' }), { logged: false })
  t.equal((await logOf(kept.id)).length, 1)
  await until('the run of the one that is gone has ended', async () => {
    const [run] = await sql`select state, result from rowbeat.runs
      where task = 'todo.log_created' and input @> ${sql.json({ task_id: deleted.id })}`
    return run!.state === 'SUCCESS' && run!.result.logged === false
  })
})

await t.test('who guesses is made to wait, and the right password ends it', async (t) => {
  const guess = (username: string, password: string) => ask('POST', '/api/token/', { username, password })
  await sql`truncate examples.throttles`
  for (let n = 0; n < 9; n++) await guess('ada', 'wrong')
  t.equal((await guess('ada', PASSWORD)).status, 200)
  for (let n = 0; n < 10; n++) t.equal((await guess('bob', 'wrong')).status, 401)
  t.equal((await guess('bob', PASSWORD)).status, 429)
  t.equal((await guess('ada', PASSWORD)).status, 200)
})

async function another(t: Test, env: Record<string, string>) {
  const before = { ...process.env }
  Object.assign(process.env, env)
  const server = fastify()
  await routes(server, { rowbeat: world.rowbeat, databaseUrl: world.url }).finally(() =>
    Object.assign(process.env, before),
  )
  t.teardown(() => server.close())
  return server
}

await t.test('ten an hour for nobody, twenty for a user, counted over all servers', async (t) => {
  await sql`truncate examples.throttles`
  const rates = { TODO_THROTTLE_ANON: '', TODO_THROTTLE_USER: '' }
  const servers = [await another(t, rates), await another(t, rates)]
  const get = (n: number, token?: string) => call(servers[n % 2]!, 'GET', '/tasks/', undefined, { token })
  const count = async (asked: number, token?: string) => {
    const answers = await Promise.all(Array.from({ length: asked }, (_, n) => get(n, token)))
    return answers.filter(({ status }) => status === 200).length
  }
  t.equal(await count(30), 10)
  t.equal(await count(30, ada!.token), 20)
  t.equal(await count(1, bob!.token), 1, 'each user has an own count')
  const refused = await get(0)
  const wait = Number(refused.headers['retry-after'])
  t.equal(refused.status, 429)
  t.ok(wait > 3500 && wait <= 3600, `${wait}`)
  t.strictSame(refused.json, { detail: `Request was throttled. Expected available in ${wait} seconds.` })
  t.equal((await call(servers[0]!, 'POST', '/tasks/', { title: 'x' })).status, 401, 'permission comes first')
  await sql`update examples.throttles set hits[1] = now() - interval '1 hour' where scope = 'anon'`
  t.equal(await count(3), 1, 'the window slides')
})

t.test('rates are Django’s', async (t) => {
  t.strictSame(parseRate('10/hour', 'X'), { requests: 10, seconds: 3600 })
  t.strictSame(parseRate('5/m', 'X'), { requests: 5, seconds: 60 })
  t.strictSame(parseRate(' 1 / day ', 'X'), { requests: 1, seconds: 86_400 })
  t.strictSame(parseRate('2/Sec', 'X'), { requests: 2, seconds: 1 })
  t.equal(parseRate('none', 'X'), null)
  for (const bad of ['10', '10/week', '-1/hour', 'x/hour', '1.5/hour'])
    t.throws(() => parseRate(bad, 'TODO_THROTTLE_ANON'), {
      name: 'ConfigError',
      message: /TODO_THROTTLE_ANON is/,
    })
  await t.rejects(another(t, { TODO_SECRET: 'short' }), {
    name: 'ConfigError',
    message: /TODO_SECRET has 5 bytes/,
  })
  const [one, two] = [await another(t, { TODO_SECRET: '' }), await another(t, { TODO_SECRET: '' })]
  const { json } = await call(one, 'POST', '/api/token/', { username: 'ada', password: PASSWORD })
  const answer = await call(two, 'POST', '/api/token/refresh/', { refresh: json.refresh })
  t.equal(answer.status, 200, 'servers share the secret that one of them made')
})

t.test('the page shows tasks and log, and escapes both', async (t) => {
  await add('<b>bold</b>')
  const { text } = await ask('GET', '/todo')
  t.match(text, '&#60;b&#62;bold')
  t.notMatch(text, '<b>bold')
  t.match(text, 'was created by ada')
})
