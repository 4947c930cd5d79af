/** What handlers say while they run: gathered, capped, and never worth a failed run. */
import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { Queryable } from '../../src/db/handle.ts'
import { Active } from '../../src/worker/active.ts'
import { createEvents } from '../../src/worker/events.ts'
import type { ClaimedJob } from '../../src/worker/job.ts'
import { createRecorder, FLUSH_MS, LINES_MAX } from '../../src/worker/recorder.ts'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'

function recorderOf(db: Queryable) {
  const events = createEvents()
  let trouble = 0
  events.on('worker:trouble', () => trouble++)
  const recorder = createRecorder(db, events)
  const begin = (run: string): Active => {
    const job = {
      id: '1',
      key: run,
      payload: { input: {} },
      attempts: 1,
      priority: 0,
      task_identifier: 'default:a',
    }
    return new Active(
      { recorder, events, onFirstProgress() {} },
      job as unknown as ClaimedJob,
      'pool',
      'a',
      1,
      1,
      Date.now(),
      null,
    )
  }
  return { recorder, begin, trouble: () => trouble }
}

/** Notes statements, answers nothing. */
function fakeDb() {
  const asked: { tag: string; rows: any[] }[] = []
  const db: Queryable = {
    async query(text, parameters) {
      asked.push({ tag: /\/\* (\w+) \*\//.exec(text)![1]!, rows: JSON.parse(parameters![0] as string) })
      return []
    },
  }
  return { db, asked }
}

t.test('a tight loop may report a hundred thousand times; only the latest is written', async (t) => {
  const { db, asked } = fakeDb()
  const { recorder, begin } = recorderOf(db)
  const { progress } = begin(randomUUID())
  for (let i = 1; i <= 100_000; i++) progress(i, 100_000)
  await until('it was written', () => asked.length === 1, { timeout: FLUSH_MS * 5 })
  t.match(asked, [{ tag: 'save_progress', rows: [{ current: 100_000, total: 100_000 }] }])
  progress(1)
  const began = performance.now()
  await until('the next was written', () => asked.length === 2)
  t.ok(performance.now() - began > FLUSH_MS / 2, 'writes keep their distance')
  await recorder.flush()
  t.equal(asked.length, 2, 'nothing pending writes nothing')
})

t.test('what is no number is no progress, and odd values are repaired', async (t) => {
  const { db, asked } = fakeDb()
  const { recorder, begin } = recorderOf(db)
  const active = begin(randomUUID())
  active.progress(Number.NaN)
  active.progress('7' as never)
  t.equal(active.reported, undefined)
  active.progress(5, Infinity, { n: 1n })
  t.match(active.reported, { current: 5, total: null, percent: null, meta: { unstorable: /bigint/ } })
  active.progress(1, 3)
  t.match(active.reported, { percent: 33.3 })
  active.progress(1, 0)
  t.match(active.reported, { percent: null })
  await recorder.flush()
  t.equal(asked.length, 1)
})

t.test('the progress of a run that ended is not written behind its result', async (t) => {
  const { db, asked } = fakeDb()
  const { recorder, begin } = recorderOf(db)
  const [gone, stays] = [randomUUID(), randomUUID()]
  begin(gone).progress(1)
  begin(stays).progress(2)
  recorder.forget(gone)
  await recorder.flush()
  t.match(asked, [{ rows: [{ run: stays }] }])
})

t.test('lines are capped for each run', async (t) => {
  const { sql, db } = await setup(t)
  const { recorder, begin } = recorderOf(db)
  const [chatty, other] = [randomUUID(), randomUUID()]
  const { log } = begin(chatty)
  for (let i = 0; i < LINES_MAX + 500; i++) log.info(`line ${i}`)
  begin(other).log.warn('x'.repeat(100_000), { big: 'y'.repeat(100_000) })
  await recorder.flush()
  await recorder.flush()
  t.match(await sql`select run_id, count(*)::int as n from rowbeat.logs group by 1 order by 2 desc`, [
    { run_id: chatty, n: LINES_MAX },
    { run_id: other, n: 1 },
  ])
  const [long] = await sql`select length(message) as length, data from rowbeat.logs where run_id = ${other}`
  t.ok(long!.length < 10_000, 'a message has a limit')
  t.match(long!.data, { unstorable: /larger than/ })
})

t.test('a store that refuses costs the lines, not the run', async (t) => {
  const { recorder, begin, trouble } = recorderOf({
    query: async () => {
      throw new Error('no')
    },
  })
  const active = begin(randomUUID())
  active.progress(1, 2)
  active.log.error('lost')
  await recorder.flush()
  t.equal(trouble(), 1)
  t.match(active.reported, { current: 1, percent: 50 }, 'its result still tells')
})
