/** Schedules that are paused: because their runs fail, or by somebody, for a while. */
import t from 'tap'
import { task } from '../../src/index.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'
import { every, openWorld } from './world.ts'

const world = await openWorld(t)
const { sql, url, put, row, firings, armed, makeDue, fired } = world

const weather = { isBad: true }
const sail = task('test.sail', {}, async () => {
  if (weather.isBad) throw new Error('wind')
})
await startWorker(t, url, { tasks: [sail] })

const paused = (id: string) =>
  until('it is paused', async () => {
    const now = await row(id)
    return !now.enabled && now
  })
const finished = (count: number, state: string) =>
  until(`${count} runs are ${state}`, async () => {
    const [runs] = await sql`select count(*)::int as n from rowbeat.results where state = ${state}`
    return runs!.n >= count
  })

t.test('after failures_max failed runs in a row a schedule pauses, and says why', async (t) => {
  weather.isBad = true
  const id = await put({ task: 'test.sail', schedule: every(100), failures_max: 3 })
  t.match(await paused(id), {
    pause_reason: '3 runs in a row failed',
    failures: 3,
    next_run_at: null,
    resume_at: null,
    error: null,
    version: 2,
    edited_at: null,
  })
  const count = (await firings(id)).length
  t.ok(count >= 3 && count < 20, `${count} firings`)

  // Resumed by hand it starts anew: the three that failed count no more.
  await sql`update rowbeat.schedules set enabled = true, schedule = '{"kind": "interval", "every": 3, "period": "days"}' where id = ${id}`
  t.match(await armed(id), { enabled: true, pause_reason: null, failures: 0 })
  await finished(count, 'FAILURE')
  await makeDue(id)
  await finished(count + 1, 'FAILURE')
  await until('one failure is counted', async () => (await row(id)).failures === 1)
  t.equal((await row(id)).enabled, true)
  await sql`delete from rowbeat.schedules; `
})

t.test('a run that succeeds sets the count back', async (t) => {
  await sql`delete from rowbeat.results`
  const id = await put({ task: 'test.sail', failures_max: 3 })
  const sailOnce = async (isBad: boolean, count: number): Promise<void> => {
    weather.isBad = isBad
    await makeDue(id)
    await finished(count, isBad ? 'FAILURE' : 'SUCCESS')
  }
  await sailOnce(true, 1)
  await sailOnce(true, 2)
  await until('two failures are counted', async () => (await row(id)).failures === 2)
  await sailOnce(false, 1)
  await until('none is counted', async () => (await row(id)).failures === 0)
  await sailOnce(true, 3)
  await sailOnce(true, 4)
  await until('two failures are counted', async () => (await row(id)).failures === 2)
  t.equal((await row(id)).enabled, true)
  await sailOnce(true, 5)
  t.match(await paused(id), { failures: 3, pause_reason: '3 runs in a row failed' })
  await sql`delete from rowbeat.schedules`
})

t.test('failures_max of one pauses after the first', async (t) => {
  weather.isBad = true
  const id = await put({ task: 'test.sail', failures_max: 1 })
  await makeDue(id)
  t.match(await paused(id), { failures: 1, pause_reason: '1 run failed' })
  await sql`delete from rowbeat.schedules`
})

t.test('a pause with resume_at ends by itself, and nothing of the pause is made up for', async (t) => {
  weather.isBad = false
  const id = await put({ task: 'test.sail', schedule: every(100), catch_up: 'all' })
  await fired(id, 2)
  await sql`
    update rowbeat.schedules set enabled = false, pause_reason = 'the harbour is closed', resume_at = clock_timestamp() + interval '700 milliseconds' where id = ${id}`
  const during = await row(id)
  const before = (await firings(id)).length
  t.match(during, { enabled: false, pause_reason: 'the harbour is closed', next_run_at: null })
  await until('it is resumed', async () => (await row(id)).enabled)
  const after = await row(id)
  t.match(after, { pause_reason: null, resume_at: null, version: 3 })
  t.ok(after.updated_at >= during.resume_at, 'not before')
  const times = (await fired(id, before + 3)).map(({ due_at }) => due_at.getTime())
  const gap = times[before]! - times[before - 1]!
  t.ok(gap >= 600, `no instant for ${gap} ms`)
  t.ok(times[before]! > during.resume_at.getTime() - 100)
})

t.test('a pause without resume_at lasts', async (t) => {
  const id = await put({ schedule: every(100) })
  await fired(id)
  await sql`update rowbeat.schedules set enabled = false where id = ${id}`
  const count = (await firings(id)).length
  const other = await put({ schedule: every(100) })
  await fired(other, 5)
  t.equal((await firings(id)).length, count)
})
