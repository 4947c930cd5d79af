/** Widgets: Celery's tasks on two queues, and users whose welcome is mailed on commit. */
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import t from 'tap'
import * as widgetTasks from '../../src/examples/widgets/tasks.ts'
import { createPasswordKeeper } from '../../src/examples/users/password.ts'
import { createUser } from '../../src/examples/users/routes.ts'
import { until } from '../helpers/wait.ts'
import { call, setupExamples, setupMail } from './world.ts'

const world = await setupExamples(t)
const { mails } = await setupMail(t)
await world.work()
const { app, sql, rowbeat } = world
const ask = call.bind(null, app)
const browser = { headers: { accept: 'text/html', 'content-type': 'application/x-www-form-urlencoded' } }

const ran = async (task: string, input: object) => {
  const handle = await rowbeat.enqueue(task, input)
  const result = await handle.result({ timeout: '10s' })
  return { result, queue: (await handle.get())!.queue }
}

await t.test('the tasks answer what Celery’s do, each in its queue', async (t) => {
  t.strictSame(await ran('widgets.add', { x: 1, y: 2 }), { result: 3, queue: 'default' })
  t.strictSame(await ran('widgets.mul', { x: 3, y: 2.5 }), { result: 7.5, queue: 'default' })
  t.strictSame(await ran('widgets.xsum', { numbers: [1, 2, 3] }), { result: 6, queue: 'default' })
  t.strictSame(await ran('widgets.xsum', { numbers: [] }), { result: 0, queue: 'default' })
  t.strictSame(await ran('widgets.debug_task', {}), { result: null, queue: 'default' })
  t.match(await ask('POST', '/widgets', { name: ' sprocket ' }), {
    status: 201,
    json: { id: 1, name: 'sprocket' },
  })
  t.strictSame(await ran('widgets.count_widgets', {}), { result: 1, queue: 'default' })
  t.strictSame(await ran('widgets.rename_widget', { id: 1, name: 'gear' }), {
    result: { id: 1, name: 'gear' },
    queue: 'high',
  })
  t.strictSame((await ask('GET', '/widgets')).json, { items: [{ id: 1, name: 'gear' }] })
  await t.rejects(ran('widgets.rename_widget', { id: 99, name: 'x' }), { message: /there is no widget 99/ })
})

t.test('the route holds for runs that SQL asks for', async (t) => {
  const [asked] = await sql`
    select rowbeat.enqueue('widgets.rename_widget', '{"id": 1, "name": "cog"}') as id`
  const [row] = await sql`select queue from rowbeat.run(${asked!.id})`
  t.equal(row!.queue, 'high')
})

t.test('schedules with a zone are declared', async (t) => {
  t.match(widgetTasks.everyMorning.resolve('UTC'), {
    task: 'widgets.count_widgets',
    enabled: true,
    schedule: { kind: 'crontab', hour: '7', timezone: 'Europe/Kyiv' },
  })
  t.match(widgetTasks.everyMinute.resolve('UTC'), {
    enabled: false,
    schedule: { timezone: 'America/New_York' },
  })
})

t.test('a user is welcomed by one mail', async (t) => {
  const { status, json } = await ask('POST', '/users', {
    username: 'ada',
    email: ' ada@example.net ',
    password: 'long enough',
  })
  t.match(
    { status, json },
    { status: 201, json: { username: 'ada', email: 'ada@example.net', run_id: String } },
  )
  t.strictSame(await rowbeat.run(null, json.run_id).result({ timeout: '10s' }), { sent: true })
  t.equal((await rowbeat.run(null, json.run_id).get())!.queue, 'high')
  t.match(mails.at(-1), /^To: ada@example\.net\r$/m)
  t.match(mails.at(-1), new RegExp(`^Message-ID: <user-${json.id}@`, 'im'))
  const count = mails.length
  t.strictSame((await ran('users.send_welcome_email', { user_id: json.id })).result, { sent: false })
  t.equal(mails.length, count)
  const [row] = await sql`select password, welcomed_at from examples.users where id = ${json.id}`
  t.match(row!.password, /^scrypt\$32768\$8\$1\$/)
  t.ok(row!.welcomed_at)
})

t.test('a user that is refused, or rolled back, is not there and gets no mail', async (t) => {
  const refused: [object, object][] = [
    [{}, { email: ['This field is required.'] }],
    [{ email: 'nobody' }, { email: ['Enter a valid email address.'] }],
    [{ email: 'a@b.net', password: 'long enough' }, { username: ['This field is required.'] }],
    [{ email: 'a@b.net', username: 'a b' }, { username: [/^Enter a valid username/] }],
    [{ email: 'a@b.net', username: 'ada' }, { username: ['A user with that username already exists.'] }],
    [{ email: 'a@b.net', username: 'b', password: 'short' }, { password: [/too short/] }],
  ]
  const counted = () => sql`select (select count(*) from examples.users) as users,
    (select count(*) from rowbeat.runs where task = 'users.send_welcome_email') as runs`
  const before = await counted()
  for (const [body, json] of refused)
    t.match(await ask('POST', '/users', body), { status: 400, json }, JSON.stringify(body))
  t.match(await ask('GET', '/users'), { status: 405, headers: { allow: 'POST' } })
  const client = postgres(world.url, { max: 1 })
  t.teardown(() => client.end({ timeout: 1 }))
  const boom = new Error('boom')
  const undone = drizzle({ client }).transaction(async (tx) => {
    await createUser(tx, rowbeat, { username: 'eve', email: 'eve@example.net', password: null })
    throw boom
  })
  await t.rejects(undone, boom)
  t.strictSame([...(await counted())], [...before])
})

t.test('hashes are made one after another, and too many are told so', async (t) => {
  const passwords = createPasswordKeeper(2)
  const made = await Promise.allSettled(Array.from({ length: 4 }, () => passwords.hash('long enough')))
  const refused = made.filter(({ status }) => status === 'rejected')
  t.equal(refused.length, 2)
  t.match(refused[0], { reason: { status: 503, headers: { 'retry-after': '2' } } })
  const [first, second] = made.map((one) => (one.status === 'fulfilled' ? one.value : ''))
  t.not(first, second, 'each has a salt of its own')
  t.ok(await passwords.matches('long enough', first!))
  t.notOk(await passwords.matches('long enougH', first!))
  t.notOk(await passwords.matches('long enough', null))
})

t.test('the page works by its forms, and shows nobody else’s run', async (t) => {
  const posted = await ask('POST', '/widgets/add', 'x=20&y=22', browser)
  t.equal(posted.status, 303)
  const url = posted.headers.location as string
  const page = await until('the page shows the sum', async () => {
    const { text } = await ask('GET', url, undefined, browser)
    return /<code>42<\/code>/.test(text) && text
  })
  t.notMatch(page, /http-equiv="refresh"/)
  for (const [path, body] of [
    ['/widgets', 'name=<b>'],
    ['/widgets/count', ''],
    ['/widgets/1/rename', 'name=x'],
  ] as const)
    // prettier-ignore
    t.equal((await ask('POST', path, body, browser)).status, 303, path)
  t.match((await ask('GET', '/widgets', undefined, browser)).text, '&#60;b&#62;')

  const made = await ask('POST', '/users', 'email=grace%40example.net', browser)
  t.match(made.headers.location, /^\/widgets\?user=\d+$/)
  await until('she is welcomed', async () => {
    const { text } = await ask('GET', made.headers.location as string, undefined, browser)
    return />welcomed</.test(text) && /gr…@example\.net/.test(text) && !/grace@/.test(text)
  })
  t.match(await ask('POST', '/users', 'email=grace', browser), {
    status: 400,
    text: /Enter a valid email address/,
  })

  const other = await rowbeat.enqueue('demo.echo', { secret: 'do not show' })
  await other.result({ timeout: '10s' })
  t.notMatch(
    (await ask('GET', `/widgets?run=${other.id}`, undefined, browser)).text,
    /do not show|demo\.echo/,
  )
  for (const [path, body, status] of [
    ['/widgets', { name: ' ' }, 422],
    ['/widgets', { name: 'a\0' }, 422],
    ['/widgets/add', { x: 'one', y: 2 }, 422],
    ['/widgets/x/rename', { name: 'x' }, 404],
  ] as const)
    t.equal((await ask('POST', path, body)).status, status, path)
})
