/** runs with a query, show, logs, watch and export; tasks, workers and purge: what is there, told and taken away. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createRowbeat, task } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'
import { folder, startRowbeat, type Said } from './command.ts'
import { here } from './here.ts'

const { url, sql } = await setup(t)
const cwd = folder(t)
const ask = (...words: string[]): Promise<Said> => here(words, { env: { DATABASE_URL: url }, cwd })
const document = ({ stdout }: Said): any => JSON.parse(stdout)
const UNKNOWN = '019a9a9a-0000-7000-8000-000000000000'

const gate = Promise.withResolvers<void>()
const talk = task(
  'test.talk',
  { attemptsMax: 2, retry: { base: '10ms', backoff: 'constant' }, input: { type: 'object' } },
  async ({ fail }: { fail?: boolean }, { log, run, progress }) => {
    log.info('begun', { try: run.attempt })
    if (fail) throw new TypeError('no \u001b[31mluck')
    await progress(1, 2)
    await gate.promise
    log.warn('two\nlines')
    return { said: true }
  },
)
const { rowbeat } = await startWorker(t, url, { name: 'reader', tasks: [talk], queues: { default: 5 } })
const failed = await rowbeat.enqueue(talk, { fail: true }, { tags: ['sad'] })
const slow = await rowbeat.enqueue(talk, {})
await failed.result().catch(() => {})

t.test('runs takes the query of REST, and flags narrow it further', async (t) => {
  const idsOf = async (...words: string[]): Promise<string[]> =>
    document(await ask('runs', '--json', ...words)).items.map((run: { id: string }) => run.id)
  t.strictSame(await idsOf('state:failed', 'tag:sad'), [failed.id])
  t.strictSame(await idsOf('state:failed tag:sad'), [failed.id])
  t.strictSame(await idsOf('input.fail:true', '--state', 'FAILURE'), [failed.id])
  t.strictSame(await idsOf('input.fail:true', '--state', 'SUCCESS'), [])
  t.strictSame(await idsOf('--', '-tag:sad'), [slow.id])
  t.match(await ask('runs', 'state:bogus', 'nothing:1'), {
    code: 2,
    stderr:
      /^rowbeat: The query is not understood: at character 7: "bogus" is no state.*; at character 13: "nothing" is no field/,
  })
})

t.test('failures tells what failed in groups, with what finds the runs of each', async (t) => {
  await sql`select rowbeat.count_failures_v1('0')`
  const { items } = document(await ask('runs', 'failures', '--json'))
  t.match(items, [{ task: 'test.talk', name: 'TypeError', count: 1, run_id: failed.id }])
  const found = document(await ask('runs', '--json', items[0].q)).items
  t.strictSame(
    found.map(({ id }: { id: string }) => id),
    [failed.id],
  )
  const { code, stdout } = await ask('runs', 'failures', '--period', '1h', '--task', 'test.talk')
  t.equal(code, 0)
  t.match(stdout, /^FAILED +TASK +ERROR.*\n1 +test\.talk +TypeError: no \?\[31mluck/)
  t.match(await ask('runs', 'failures', '--task', 'test.other'), { code: 0, stderr: 'Nothing failed.\n' })
  t.match(await ask('runs', 'failures', '--period', '30d'), {
    code: 2,
    stderr: /--period must be from 1m to 7d/,
  })
})

t.test('show tells a run with its tries and what it said, and nothing that moves the cursor', async (t) => {
  const { code, stdout } = await ask('runs', 'show', failed.id)
  t.equal(code, 0)
  t.match(stdout, new RegExp(`^id +${failed.id}\\n`))
  t.match(stdout, /^state +FAILURE$/m)
  t.match(stdout, /^error\n {2}TypeError: no \?\[31mluck\n {6}at /m)
  t.match(stdout, /^ {2}1 +retry +reader .* TypeError: no \?\[31mluck/m)
  t.match(stdout, /info {2}\[try 2\] begun \{"try":2\}/)
  // oxlint-disable-next-line no-control-regex -- that is what is looked for
  t.notMatch(stdout, /\u001b/)
  const run = document(await ask('runs', 'show', failed.id.toUpperCase(), '--json'))
  t.match(run, { id: failed.id, state: 'FAILURE', attempts: [{ attempt: 1 }, { attempt: 2 }] })
  t.equal(run.logs.length, 2)
  for (const word of ['show', 'logs', 'watch']) {
    t.match(await ask('runs', word, UNKNOWN), { code: 1, stdout: '', stderr: /is unknown/ })
    t.match(await ask('runs', word, 'abc'), { code: 1, stderr: /"abc", which is no UUID/ })
  }
})

t.test('watch and logs -f go on until the run has finished', async (t) => {
  await until('it reports', async () => (await slow.state()) === 'PROGRESS')
  t.match(await ask('runs', 'watch', slow.id, '--timeout', '50ms'), {
    code: 4,
    stdout: /^PROGRESS {2}1 of 2 \(50 %\) {2}on reader\n$/,
    stderr: /has not finished in/,
  })
  const followed = startRowbeat(t, ['runs', 'logs', slow.id, '-f'], { env: { DATABASE_URL: url }, cwd })
  await followed.line(/ begun /, 30_000)
  t.notMatch(followed.stdout(), /lines/)
  gate.resolve()
  t.match(await followed.ended(), { code: 0 })
  t.match(followed.stdout(), /warn {2}two\nlines\n$/)
  t.match(await ask('runs', 'watch', slow.id), { code: 0, stdout: /^SUCCESS/ })
  t.match(await ask('runs', 'watch', failed.id, '--json'), { code: 1, stdout: /"FAILURE"/ })
  t.equal(document(await ask('runs', 'logs', slow.id, '--json')).items.length, 2)
})

t.test('export writes what matches in the format that is asked for', async (t) => {
  const rows = (await ask('runs', 'export', '--format', 'ndjson')).stdout.trim().split('\n')
  t.strictSame(
    rows.map((row) => JSON.parse(row).id),
    [slow.id, failed.id],
  )
  t.equal(document(await ask('runs', 'export', '--json', 'state:failed')).items.length, 1)
  t.match((await ask('runs', 'export')).stdout, /^id,task,queue,state,.*\r\n.*test\.talk/s)
  const path = join(cwd, 'runs.ndjson')
  t.match(await ask('runs', 'export', '-o', path), { code: 0, stdout: '' })
  t.equal(readFileSync(path, 'utf8').trim().split('\n').length, 2)
  t.match(await ask('runs', 'export', '--format', 'xml'), { code: 2, stderr: /--format is "xml"/ })
  t.match(await ask('runs', 'export', '-o', join(cwd, 'no/such.csv')), {
    code: 2,
    stderr: /cannot be written/,
  })
})

t.test('tasks and workers are listed, and one of them told whole', async (t) => {
  t.match((await ask('tasks')).stdout, /^TASK .*\n(.*\n)*test\.talk +default +2 +- +1 +0 /)
  const talked = await ask('tasks', 'test.talk')
  t.match(talked.stdout, /^workers +reader$/m)
  t.match(talked.stdout, /^failed +1$/m)
  t.match(talked.stdout, /\ninput\n {2}\{/)
  t.match(document(await ask('tasks', 'test.talk', '--json')).stats, {
    finished: 2,
    failed: 1,
    period: 86_400,
  })
  t.match(await ask('tasks', 'test.nothing'), { code: 1, stderr: /No process ever registered/ })
  t.match((await ask('workers')).stdout, /^WORKER .*\nreader /)
  t.match((await ask('workers', 'reader')).stdout, /^queues +default:5$/m)
  t.match(await ask('workers', 'nobody'), { code: 1, stderr: /No live worker is named "nobody"/ })
})

t.test('purge counts, asks, and needs no worker', async (t) => {
  const other = createRowbeat({ databaseUrl: url })
  t.teardown(() => other.close())
  for (let i = 0; i < 3; i++) await other.enqueue('test.lost', {}, { queue: 'dark' })
  await other.enqueue('test.talk', {}, { delay: '1 hour' })
  t.match(await ask('purge'), { code: 2, stderr: /Name the queues to purge, or give --all/ })
  t.match(await ask('purge', 'dark', '--all'), { code: 2, stderr: /either/ })
  t.match(await ask('purge', 'nothing', '-y'), { code: 1, stderr: /No queue is named "nothing"/ })
  t.match(await ask('purge', 'dark'), { code: 2, stderr: /^3 wait: 3 on dark\.\n.*give --yes/ })
  t.equal((await sql`select 1 from rowbeat.runs where state = 'PENDING'`).length, 3)
  t.match(await ask('purge', 'dark', '-y', '--reason', 'a mistake'), { code: 0, stdout: '3 revoked\n' })
  const all = document(await ask('purge', '--all', '-y', '--json'))
  t.match(all, { waiting: 1, revoked: 1, operations: [{ state: 'done' }] })
  t.match(await ask('purge', '--all', '-y'), { code: 0, stderr: 'Nothing waits there.\n' })
  const ended = await sql`select state, error->>'message' as words from rowbeat.runs where task = 'test.lost'`
  t.match([...ended], Array(3).fill({ state: 'REVOKED', words: /a mistake/ }))
})
