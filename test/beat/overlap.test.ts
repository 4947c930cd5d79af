/** What happens to an instant that comes while the run of an earlier one has not ended, with a real worker. */
import t from 'tap'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'
import { every, openWorld, type Columns } from './world.ts'

const world = await openWorld(t)
const { sql, url, put, row, firings, makeDue, fired } = world
await startWorker(t, url)

const stateOf = async (run: string | null): Promise<string> =>
  (await sql`select state from rowbeat.runs where id = ${run}`)[0]?.state
const end = async (run: string | null): Promise<void> => {
  await sql`select rowbeat.revoke(${run}, true)`
  await until('the run has ended', async () => (await stateOf(run)) === 'REVOKED')
}
const skipped = (id: string, count: number) =>
  until(
    `${count} skipped`,
    async () => (await firings(id)).filter(({ state }) => state === 'skipped').length >= count,
  )

const started = (run: string | null) =>
  until('the run has started', async () => (await stateOf(run)) === 'STARTED')

/** A schedule whose first run goes on until it is revoked. */
async function putBusy(columns: Columns): Promise<{ id: string; run: string | null }> {
  const id = await put({ task: 'test.scripted', input: { fate: 'hang', obedient: true }, ...columns })
  await makeDue(id)
  const [firing] = await fired(id)
  return { id, run: firing!.run_id }
}

t.test('celery row 16: `allow` lets runs overlap', async (t) => {
  const { id, run } = await putBusy({ overlap: 'allow' })
  await makeDue(id)
  const [, second] = await fired(id, 2)
  await Promise.all([started(run), started(second!.run_id)])
  t.strictSame([await stateOf(run), await stateOf(second!.run_id)], ['STARTED', 'STARTED'], 'both run')
  for (const { run_id } of await firings(id)) await end(run_id)
})

t.test('celery row 16: `skip` passes over instants until the run has ended', async (t) => {
  const { id, run } = await putBusy({ overlap: 'skip' })
  const due = await makeDue(id)
  await skipped(id, 1)
  t.match((await firings(id))[1], { due_at: due, state: 'skipped', reason: 'overlap', run_id: null })
  t.match(await row(id), { firings_total: '1', enabled: true, buffered_at: null })
  await end(run)
  await makeDue(id)
  const all = await fired(id, 2)
  await end(all[1]!.run_id)
})

t.test('`skip` does not count what it passed over as a firing', async (t) => {
  const { id, run } = await putBusy({ overlap: 'skip', firings_max: 2 })
  await makeDue(id)
  await skipped(id, 1)
  t.match(await row(id), { enabled: true, firings_total: '1' }, 'one is left')
  await end(run)
  await makeDue(id)
  const [, second] = await fired(id, 2)
  await end(second!.run_id)
  t.match(await row(id), { enabled: false, firings_total: '2', next_run_at: null })
  const once = await put({ overlap: 'skip', one_off: true })
  await makeDue(once)
  t.match((await fired(once)).length, 1)
})

t.test('celery row 16: `buffer_one` keeps one instant and fires it when the run has ended', async (t) => {
  const { id, run } = await putBusy({ overlap: 'buffer_one' })
  const kept = await makeDue(id)
  await until('it is kept', async () => (await row(id)).buffered_at)
  t.strictSame((await row(id)).buffered_at, kept)
  const over = await makeDue(id)
  await skipped(id, 1)
  await end(run)
  const [, second] = await fired(id, 2)
  t.match(second, { due_at: kept, state: 'fired', reason: 'buffered' })
  t.strictSame((await firings(id)).map(({ due_at, state }) => [due_at, state]).slice(1), [
    [kept, 'fired'],
    [over, 'skipped'],
  ])
  t.match(await row(id), { buffered_at: null, firings_total: '2' })
  await end(second!.run_id)
})

t.test('the last instant of a schedule may be the one that is kept', async (t) => {
  const { id, run } = await putBusy({ overlap: 'buffer_one', firings_max: 2 })
  await makeDue(id)
  await until('it is kept', async () => (await row(id)).buffered_at)
  await end(run)
  const [, second] = await fired(id, 2)
  await end(second!.run_id)
  await until('it is over', async () => !(await row(id)).enabled)
  t.match(await row(id), { buffered_at: null, firings_total: '2', next_run_at: null })
})

t.test('what was kept is dropped by disabling, and by an edit of the timing', async (t) => {
  const { id, run } = await putBusy({ overlap: 'buffer_one' })
  await makeDue(id)
  await until('it is kept', async () => (await row(id)).buffered_at)
  await sql`update rowbeat.schedules set enabled = false where id = ${id}`
  t.equal((await row(id)).buffered_at, null)
  await end(run)
})

t.test('a kept instant that the database refuses is set apart', async (t) => {
  const { id, run } = await putBusy({ overlap: 'buffer_one', priority: 12 })
  const other = await putBusy({ overlap: 'buffer_one' })
  for (const busy of [id, other.id]) {
    await makeDue(busy)
    await until('it is kept', async () => (await row(busy)).buffered_at)
  }
  await sql`alter table rowbeat_queue._private_jobs add constraint unlucky check (priority <> 12) not valid`
  await Promise.all([end(run), end(other.run)])
  t.match(await world.refused(id), /unlucky/)
  const [, second] = await fired(other.id, 2)
  await end(second!.run_id)
  await sql`alter table rowbeat_queue._private_jobs drop constraint unlucky`
})

t.test('celery row 16: `cancel_other` ends the run that is in the way', async (t) => {
  const { id, run } = await putBusy({ overlap: 'cancel_other' })
  await started(run)
  const due = await makeDue(id)
  const [, second] = await fired(id, 2)
  t.match(second, { due_at: due, state: 'fired' })
  await until('the first has ended', async () => (await stateOf(run)) === 'REVOKED')
  const [ended] = await sql`select reason, error from rowbeat.runs where id = ${run}`
  t.match(ended, { reason: 'terminated', error: { message: /replaced by the next firing/ } })
  await started(second!.run_id)
  await end(second!.run_id)
})

t.test('`cancel_other` takes a run that has not started out of the queue', async (t) => {
  const id = await put({ task: 'nobody.runs_this', overlap: 'cancel_other', schedule: every(100) })
  const found = await fired(id, 3)
  await sql`delete from rowbeat.schedules where id = ${id}`
  const runs =
    await sql`select id, state, reason from rowbeat.runs where id = any (${found.map(({ run_id }) => run_id)}) order by due_at`
  t.match(runs.slice(0, 2), [
    { state: 'REVOKED', reason: 'replaced' },
    { state: 'REVOKED', reason: 'replaced' },
  ])
  t.equal(
    (await sql`select from rowbeat.runs where task = 'nobody.runs_this' and state = 'PENDING'`).length,
    1,
  )
})

t.test(
  'of instants that were missed together one fires, one is kept, and the others are passed over',
  async (t) => {
    const anchor_at = new Date(Date.now() - 3 * 3_600_000 - 1_800_000).toISOString()
    const id = await put({
      task: 'test.scripted',
      input: { fate: 'hang', obedient: true },
      overlap: 'buffer_one',
      catch_up: 'all',
      schedule: { kind: 'interval', every: 1, period: 'hours' },
      anchor_at,
    })
    await world.rewind(id, anchor_at)
    await skipped(id, 2)
    const [first] = await fired(id)
    await end(first!.run_id)
    const [, second] = await fired(id, 2)
    t.match(
      (await firings(id)).map(({ state, reason }) => [state, reason]),
      [
        ['fired', null],
        ['fired', 'buffered'],
        ['skipped', 'overlap'],
        ['skipped', 'overlap'],
      ],
    )
    await end(second!.run_id)
  },
)

t.test('a run that expired before it started never does', async (t) => {
  const id = await put({ task: 'test.scripted', expires: '1 minute', catch_up: 'all' })
  await makeDue(id, '2 hours')
  const [firing] = await fired(id)
  await until('it has ended', async () => (await stateOf(firing!.run_id)) === 'REVOKED')
  const [run] = await sql`select reason, attempt from rowbeat.runs where id = ${firing!.run_id}`
  t.strictSame({ ...run }, { reason: 'expired', attempt: 0 })
})
