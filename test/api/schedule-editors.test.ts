/**
 * Two editors at 50 Hz, one with PUT and one with PATCH, on a row that is fired all the while as a beat fires it. Each
 * counts its own edits in the row, on top of what it read: an update that was lost is a count that is too low.
 */
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import { serve, type World } from './world.ts'

const EVERY_MS = 20
const FOR_MS = 5000
const TICK = { kind: 'interval', every: 100, period: 'milliseconds' }

interface Edits {
  done: number
  refused: number
}

/** Reads, adds one under its name, writes; refused, it reads again. */
async function edit({ call }: World, url: string, who: 'put' | 'patch', until: number): Promise<Edits> {
  const edits: Edits = { done: 0, refused: 0 }
  for (let due = performance.now(); due < until; due += EVERY_MS) {
    await pause(Math.max(0, due - performance.now()))
    const read = await call('GET', url)
    const headers = { ...read.json.headers, [who]: (read.json.headers[who] ?? 0) + 1 }
    const match = { headers: { 'if-match': String(read.headers.etag) } }
    const { status, text, json } =
      who === 'put'
        ? await call('PUT', url, { ...read.json, headers }, match)
        : await call('PATCH', url, { headers }, match)
    if (status !== 200 && status !== 412) throw new Error(text)
    if (status === 412) edits.refused++
    else edits.done++
    if (status === 200 && json.version !== read.json.version + 1) throw new Error(`version ${json.version}`)
  }
  return edits
}

/** Decides on what it read, and fires; answers how many decisions were taken, and those that came too late. */
async function fire({ sql }: World, id: string, until: number): Promise<{ taken: number; late: number }> {
  const seen = { taken: 0, late: 0 }
  for (let due = performance.now(); due < until; due += EVERY_MS) {
    await pause(Math.max(0, due - performance.now()))
    const [row] =
      await sql`select version, to_json(since_at) #>> '{}' as since, next_run_at from rowbeat.schedules where id = ${id}`
    if (!row) return seen
    // What an editor does between the look and the decision.
    await pause(1)
    const at = row.next_run_at.toISOString()
    const next = new Date(row.next_run_at.getTime() + 100).toISOString()
    const decision = { id, version: row.version, since: row.since, seen: at, fire: [at], missed: null, next }
    const [fired] = await sql`select taken from rowbeat.fire_v1(${JSON.stringify([decision])}::text::jsonb)`
    if (fired!.taken === 1) seen.taken++
    else seen.late++
  }
  return seen
}

t.test(
  'two editors at 50 Hz lose no update, and no firing, of a row that is fired all the while',
  async (t) => {
    const world = await serve(t)
    const { call, sql } = world
    const { json } = await call('POST', '/v1/schedules', { name: 'busy', task: 'demo.echo', schedule: TICK })
    const url = `/v1/schedules/${json.id}`
    await sql`update rowbeat.schedules set next_run_at = now()`

    const until = performance.now() + FOR_MS
    const [put, patch, fired] = await Promise.all([
      edit(world, url, 'put', until),
      edit(world, url, 'patch', until),
      fire(world, json.id, until),
    ])
    const after = (await call('GET', url)).json
    t.comment(JSON.stringify({ put, patch, fired, version: after.version }))
    t.strictSame(after.headers, { put: put.done, patch: patch.done }, 'no update is lost')
    t.equal(after.version, 1 + put.done + patch.done, 'each is a version')
    t.ok(put.done > 50 && patch.done > 50, 'both got through')
    t.ok(put.refused + patch.refused > 0, 'they did meet')

    t.equal(after.firings_total, fired.taken, 'no firing is lost by an edit, and no edit by a firing')
    t.ok(fired.taken > 10)
    const [firings] =
      await sql`select count(*)::int as n, count(distinct due_at)::int as instants, count(distinct version)::int as versions,
    (select count(*)::int from rowbeat.runs) as runs from rowbeat.firings`
    t.match(firings, { n: fired.taken, instants: fired.taken, runs: fired.taken })
    t.ok(firings!.versions > 5, 'each has the version it was made with')
  },
)

t.test('no firing after delete, whoever decided before it', async (t) => {
  const world = await serve(t)
  const { call, sql } = world
  for (let n = 0; n < 20; n++) {
    const { json } = await call('POST', '/v1/schedules', {
      name: `doomed ${n}`,
      task: 'demo.echo',
      schedule: TICK,
    })
    await sql`update rowbeat.schedules set next_run_at = now() where id = ${json.id}`
    const firing = fire(world, json.id, performance.now() + 2000)
    await pause(n * 5)
    const gone = await call('DELETE', `/v1/schedules/${json.id}`, undefined, {
      headers: { 'if-match': '"1"' },
    })
    t.equal(gone.status, 204)
    const [{ at }] = (await sql`select clock_timestamp() as at`) as never as [{ at: Date }]
    const { taken } = await firing
    const rows = await sql`select fired_at from rowbeat.firings where schedule_id = ${json.id}`
    t.equal(rows.length, taken)
    t.ok(rows.every(({ fired_at }) => fired_at <= at))
  }
})

t.test(
  'who asks for no version in particular is tried again, and loses nothing of others either',
  async (t) => {
    const world = await serve(t)
    const { call } = world
    const { json } = await call('POST', '/v1/schedules', {
      name: 'shared',
      task: 'demo.echo',
      schedule: TICK,
    })
    const url = `/v1/schedules/${json.id}`
    const any = { headers: { 'if-match': '*' } }
    const fields: [string, (n: number) => unknown][] = [
      ['description', (n) => `d${n}`],
      ['priority', (n) => n],
      ['queue', (n) => `q${n}`],
      ['expires', (n) => n + 1],
    ]
    const rounds = Array.from({ length: 15 }, (_, n) => n)
    const answers = await Promise.all(
      fields.map(async ([field, value]) => {
        const seen: number[] = []
        for (const n of rounds) seen.push((await call('PATCH', url, { [field]: value(n) }, any)).status)
        return seen
      }),
    )
    t.strictSame([...new Set(answers.flat())], [200])
    t.match((await call('GET', url)).json, {
      description: 'd14',
      priority: 14,
      queue: 'q14',
      expires: 15,
      version: 61,
    })
  },
)
