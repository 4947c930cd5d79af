/** The resources as AdminJS's API reads and writes them: by the verbs of src/control, as whoever is signed in. */
import t from 'tap'
import type { Role } from '../../src/auth/scopes.ts'
import { openShell, type Answer, type Shell } from './shell.ts'

const RESOURCES = ['runs', 'schedules', 'queues', 'workers', 'firings', 'keys', 'users', 'audit'] as const
const FOR_ADMINS = ['keys', 'users', 'audit']

interface Told {
  records: { params: Record<string, any> }[]
  record: { params: Record<string, any>; errors: Record<string, { message: string }>; baseError: any }
  meta: { total: number; next: string | null }
  notice?: { type: string; message: string }
  redirectUrl?: string
}

t.test('resources', async (t) => {
  const shell = await openShell(t)
  const cookies = {} as Record<Role, string>
  for (const role of ['viewer', 'operator', 'admin'] as const) cookies[role] = await shell.signIn(role)
  const as =
    (role: Role) =>
    async (method: string, path: string, body?: object): Promise<Answer & { json: Told }> => {
      const headers = { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' }
      const answer = await shell.send({
        method,
        path: `/admin/api${path}`,
        cookie: cookies[role],
        headers,
        body,
      })
      return { ...answer, json: answer.body ? JSON.parse(answer.body) : null }
    }
  const [admin, operator, viewer] = [as('admin'), as('operator'), as('viewer')]
  await fill(shell)

  await t.test('each is listed by whoever may read it, and by nobody else', async (t) => {
    for (const resource of RESOURCES) {
      const all = await admin('GET', `/resources/${resource}/actions/list`)
      t.equal(all.status, 200, resource)
      t.ok(Array.isArray(all.json.records), `${resource}: ${all.body.slice(0, 200)}`)
      const allowed = FOR_ADMINS.includes(resource) ? 403 : 200
      for (const ask of [viewer, operator])
        t.equal((await ask('GET', `/resources/${resource}/actions/list`)).status, allowed, resource)
      t.equal(
        (await viewer('GET', `/resources/${resource}/records/x/show`)).status,
        allowed,
        `${resource} one`,
      )
    }
  })

  await t.test('a record is flat, with JSON as text that can be read', async (t) => {
    const { json } = await admin('GET', '/resources/runs/actions/list?perPage=1')
    const { id, input, tags } = json.records[0]!.params
    t.strictSame(JSON.parse(input), { n: 29, deep: { list: [1, 2] } })
    t.strictSame(JSON.parse(tags), [])
    const one = await admin('GET', `/resources/runs/records/${id}/show`)
    t.equal(one.json.record.params.task, 'demo.echo')
  })

  await t.test('pages by offset and by cursor are the same rows, none twice', async (t) => {
    const paged: string[] = []
    for (const page of [1, 2, 3, 4]) {
      const { json } = await admin('GET', `/resources/runs/actions/list?perPage=9&page=${page}`)
      t.equal(json.meta.total, 30)
      paged.push(...json.records.map(({ params }) => params.id))
    }
    const walked: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const filter: string = cursor && `&filters.cursor=${cursor}`
      const { json } = await admin('GET', `/resources/runs/actions/list?perPage=9${filter}`)
      walked.push(...json.records.map(({ params }) => params.id))
      cursor = json.meta.next
    }
    t.equal(new Set(paged).size, 30)
    t.strictSame(walked, paged)
    t.strictSame((await admin('GET', '/resources/runs/actions/list?perPage=500&page=9999')).json.records, [])
  })

  await t.test('filters are the words of REST, and one that is unknown is refused', async (t) => {
    const some = await admin('GET', '/resources/runs/actions/list?filters.q=input.n:7')
    t.strictSame(
      some.json.records.map(({ params }) => JSON.parse(params.input).n),
      [7],
    )
    t.equal((await admin('GET', '/resources/runs/actions/list?filters.colour=red')).status, 422)
    t.equal((await admin('GET', '/resources/queues/actions/list?filters.colour=red')).status, 422)
  })

  await t.test('a schedule is made, changed and deleted, each in its own words', async (t) => {
    const schedule = '{"kind":"interval","every":10,"period":"minutes"}'
    const draft = { name: 'stock', task: 'demo.echo', schedule, input: '{"a":1}', firings_total: '99' }
    t.equal((await viewer('POST', '/resources/schedules/actions/new', draft)).status, 403)
    const wrong = await operator('POST', '/resources/schedules/actions/new', { ...draft, schedule: '{' })
    t.match(wrong.json.record.errors.schedule!.message, /must be JSON/)
    const refused = await operator('POST', '/resources/schedules/actions/new', { ...draft, jitter: 'soon' })
    t.ok(refused.json.record.errors.jitter, refused.body.slice(0, 300))
    const { json } = await operator('POST', '/resources/schedules/actions/new', draft)
    t.equal(json.notice?.type, 'success')
    const made = json.record.params
    t.equal(made.firings_total, 0, 'a counter is nobody’s to write')

    // As a form sends it: every column, as text.
    const form = Object.fromEntries(
      Object.entries(made).map(([name, value]) => [name, value === null ? '' : String(value)]),
    )
    const edit = `/resources/schedules/records/${made.id}/edit`
    await shell.sql`update rowbeat.schedules set firings_total = 5 where name = 'stock'`
    const edited = await operator('POST', edit, { ...form, description: 'by a form', version: '' })
    t.equal(edited.json.notice?.type, 'success', edited.body.slice(0, 300))
    const [row] = await shell.sql`select * from rowbeat.schedules where name = 'stock'`
    t.match(row, { description: 'by a form', firings_total: '5', queue: null, input: { a: 1 } })
    const [log] =
      await shell.sql`select * from rowbeat.audit_log where action = 'schedule.update' order by id desc limit 1`
    t.match(log, { actor: 'operator@example.com', via: 'panel', after: { description: 'by a form' } })

    const late = await operator('POST', edit, { ...form, description: 'too late', version: '1' })
    t.equal(late.json.notice?.type, 'error', 'somebody edited it in between')
    const gone = await operator('POST', `/resources/schedules/records/${made.id}/delete`)
    t.equal(gone.json.notice?.type, 'success', gone.body.slice(0, 300))
    t.equal((await shell.sql`select 1 from rowbeat.schedules where name = 'stock'`).length, 0)
  })

  await t.test('a key is told once, and revoked', async (t) => {
    const made = await admin('POST', '/resources/keys/actions/new', { name: 'ci', scopes: '["runs:read"]' })
    const { id, key } = made.json.record.params
    t.match(key, /^rb_/)
    const shown = await admin('GET', `/resources/keys/records/${id}/show`)
    t.notOk(shown.body.includes(key))
    t.equal((await admin('POST', `/resources/keys/records/${id}/delete`)).json.notice?.type, 'success')
    const [row] = await shell.sql`select revoked_at from rowbeat.api_keys where id = ${id}`
    t.ok(row!.revoked_at)
  })

  await t.test('a user is made with a password told once, and the last admin stays', async (t) => {
    const made = await admin('POST', '/resources/users/actions/new', {
      email: 'new@example.com',
      role: 'viewer',
    })
    t.ok(made.json.record.params.password)
    const { id } = made.json.record.params
    const twice = await admin('POST', '/resources/users/actions/new', {
      email: 'new@example.com',
      role: 'viewer',
    })
    t.match(twice.json.notice, { type: 'error', message: /has an account already/ })
    await admin('POST', `/resources/users/records/${id}/edit`, {
      role: 'operator',
      password: '',
      disabled: 'false',
    })
    const [row] = await shell.sql`select role, disabled_at from rowbeat.users where id = ${id}`
    t.match(row, { role: 'operator', disabled_at: null })
    const [me] = await shell.sql`select id from rowbeat.users where email = 'admin@example.com'`
    const last = await admin('POST', `/resources/users/records/${me!.id}/edit`, { role: 'viewer' })
    t.equal(last.json.notice?.type, 'error', last.body.slice(0, 300))
  })

  await t.test('what a resource has no verb for is not there', async (t) => {
    for (const path of [
      'audit/actions/new',
      'firings/actions/new',
      'workers/actions/new',
      'runs/actions/new',
    ])
      t.equal((await admin('POST', `/resources/${path}`, {})).status, 403, path)
    t.equal((await admin('POST', '/resources/runs/bulk/bulkDelete?recordIds=a,b')).status, 403)
  })

  await t.test('an id that is none is no record', async (t) => {
    for (const resource of RESOURCES) {
      const { json } = await admin('GET', `/resources/${resource}/records/nothing-here/show`)
      t.not(json.notice?.type ?? 'error', 'success', resource)
    }
  })
})

/** Thirty runs, a schedule, a firing of each state. */
async function fill({ rowbeat, sql }: Shell): Promise<void> {
  for (let n = 0; n < 30; n++) await rowbeat.enqueue('demo.echo', { n, deep: { list: [1, 2] } })
  await sql`select rowbeat.create_schedule('nightly', 'demo.echo', '{"kind":"crontab","hour":"3"}')`
  await sql`insert into rowbeat.firings (schedule_id, due_at, state, reason, version)
    select s.id, now() - x.n * interval '1 hour', (array['fired', 'skipped', 'missed'])[x.n], null, 1
    from rowbeat.schedules s, generate_series(1, 3) x (n)`
}
