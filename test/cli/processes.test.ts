/** `rowbeat worker --processes`: a parent and its worker processes, and what becomes of them when one or the other falls. */
import { hostname } from 'node:os'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { setup, type Bundle } from '../helpers/bundle.ts'
import { isAlive, ROOT, type Process } from '../helpers/process.ts'
import { until } from '../helpers/wait.ts'
import { folder, rowbeat, startRowbeat } from './command.ts'

t.jobs = 2

/** Tasks whose input says how they end. */
const TASKS = `
import { setTimeout as pause } from 'node:timers/promises'
import { task } from ${JSON.stringify(join(ROOT, 'src/index.ts'))}
export const good = task('good', {}, async ({ ms = 0 }) => { await pause(ms); return process.pid })
const kept = []
export const leak = task('leak', {}, async () => { kept.push(Buffer.alloc(150_000_000, 1)); await pause(150); return process.pid })
export const poison = task('poison', {}, () => process.abort())
export const spin = task('spin', {}, () => { for (;;); })
`

interface Parent extends Process {
  document: { processes: number; names: string[]; queues: object; tasks: string[] }
}

async function startParent(t: Test, { url }: Bundle, ...words: string[]): Promise<Parent> {
  const cwd = folder(t)
  writeFileSync(join(cwd, 'tasks.ts'), TASKS)
  const parent = startRowbeat(t, ['worker', '--json', ...words], {
    cwd,
    env: { DATABASE_URL: url, ROWBEAT_TASKS: 'tasks.ts' },
  })
  await parent.line(/^}$/, 30_000)
  return { ...parent, document: JSON.parse(parent.stdout()) }
}

async function workersOf({ sql }: Bundle): Promise<{ name: string; pid: number; queues: object }[]> {
  return [
    ...(await sql<any[]>`select name, pid, queues from rowbeat.workers where kind = 'worker' order by name`),
  ]
}

async function enqueue({ sql }: Bundle, task: string, input: object, n: number): Promise<string[]> {
  const runs = Array.from({ length: n }, () => ({ task, input }))
  const rows = await sql`select id from rowbeat.enqueue_many(${JSON.stringify(runs)}::text::jsonb)`
  return rows.map((row) => row.id)
}

const endedOf = async ({ sql }: Bundle): Promise<number> => {
  const [row] = await sql`select count(*)::int as n from rowbeat.results`
  return row!.n
}

t.test(
  'two processes by one name pattern; one that is killed is replaced; SIGTERM ends both, and exits 0',
  async (t) => {
    const bundle = await setup(t)
    const parent = await startParent(t, bundle, '--processes', '2', '-c', '1', '-n', 'w%i@%h', '-X', 'high')
    const names = [`w1@${hostname()}`, `w2@${hostname()}`]
    t.match(parent.document, {
      processes: 2,
      names,
      queues: { default: 1 },
      tasks: ['good', 'leak', 'poison', 'spin'],
    })
    const workers = await workersOf(bundle)
    t.strictSame(
      workers.map(({ name, queues }) => [name, queues]),
      names.map((name) => [name, { default: 1 }]),
    )
    t.equal(new Set([parent.pid, ...workers.map(({ pid }) => pid)]).size, 3, 'three processes')

    const [run] = await enqueue(bundle, 'good', { ms: 1000 }, 1)
    const [holder] = await until('one has it', async () => {
      const rows = await bundle.admin`
      select w.pid from rowbeat.workers w join rowbeat_queue._private_jobs j on j.locked_by = any (w.pools)`
      return rows.length > 0 && rows
    })
    process.kill(holder!.pid, 'SIGKILL')
    const since = performance.now()
    await until('it has ended', async () => (await endedOf(bundle)) === 1)
    t.ok(performance.now() - since < 9000)
    const [row] = await bundle.sql`select state, attempt, result from rowbeat.results where id = ${run!}`
    t.match(row, { state: 'SUCCESS', attempt: 1 })
    t.not(row!.result, holder!.pid)
    await until('two work again', async () => (await workersOf(bundle)).length === 2)
    t.match(parent.stderr(), /ended with SIGKILL and is started again/)

    await enqueue(bundle, 'good', { ms: 200 }, 60)
    await until('both have done some', async () => {
      const [row] = await bundle.sql`select count(distinct result)::int as n from rowbeat.results`
      return row!.n === 2
    })
    parent.kill('SIGTERM')
    t.strictSame(await parent.ended(), { code: 0, signal: null })
    const rows = await bundle.sql`select state, attempt, count(*)::int as n from rowbeat.runs group by 1, 2`
    const counts = Object.fromEntries(rows.map(({ state, attempt, n }) => [`${state} ${attempt}`, n]))
    t.strictSame(Object.keys(counts).toSorted(), ['PENDING 0', 'SUCCESS 1'], 'each has ended or not begun')
    t.strictSame(await workersOf(bundle), [], 'nobody is left in the registry')
  },
)

t.test('children end within 5 s after their parent was killed, also one that is blocked', async (t) => {
  const bundle = await setup(t)
  const parent = await startParent(t, bundle, '--processes', '2', '-c', '1')
  const workers = await workersOf(bundle)
  await enqueue(bundle, 'spin', {}, 1)
  await until('one is blocked', async () => {
    const [job] = await bundle.admin`select locked_by from rowbeat_queue._private_jobs`
    return job!.locked_by
  })
  parent.kill('SIGKILL')
  const since = performance.now()
  await until('all have ended', () => !workers.some(({ pid }) => isAlive(pid)))
  t.ok(performance.now() - since < 5000)
})

t.test(
  'a poison ends as worker_lost after three, within seconds, and what ran beside it is not counted',
  async (t) => {
    const bundle = await setup(t)
    await startParent(t, bundle, '--processes', '2', '-c', '5')
    const since = performance.now()
    const ids = await enqueue(bundle, 'good', { ms: 50 }, 100)
    const [poison] = await enqueue(bundle, 'poison', {}, 1)
    ids.push(...(await enqueue(bundle, 'good', { ms: 50 }, 100)))
    await until('all runs have ended', async () => (await endedOf(bundle)) === 201, { timeout: 30_000 })
    t.ok(performance.now() - since < 20_000, 'three deaths took less than two silences of 10 s')
    const [lost] =
      await bundle.sql`select state, reason, redeliveries from rowbeat.results where id = ${poison!}`
    t.strictSame({ ...lost }, { state: 'FAILURE', reason: 'worker_lost', redeliveries: 3 })
    const good = await bundle.sql`
    select count(*)::int as n from rowbeat.results where id = any (${ids}) and state = 'SUCCESS' and attempt = 1`
    t.equal(good[0]!.n, 200)
  },
)

t.test('a process is replaced when it has done its runs, or has grown; nothing of that counts', async (t) => {
  const bundle = await setup(t)
  const parent = await startParent(
    t,
    bundle,
    '-c',
    '1',
    '--max-runs-per-process',
    '5',
    '--max-memory-per-process',
    '260MB',
  )
  t.match(parent.document, { processes: 1 })
  await enqueue(bundle, 'good', { ms: 60 }, 20)
  await until('all have ended', async () => (await endedOf(bundle)) === 20, { timeout: 20_000 })
  const each = await bundle.sql`select result as pid, count(*)::int as n from rowbeat.results group by 1`
  t.ok(each.length >= 2, `${each.length} processes`)
  t.ok(Math.max(...each.map(({ n }) => n)) < 15, 'none did much more')
  // A process that is to be replaced for its runs goes on until its successor is there, and says no second reason.
  for (let n = 1; n <= 12 && !/"why":"memory"/.test(parent.stderr()); n++) {
    await enqueue(bundle, 'leak', {}, 1)
    await until('this too', async () => (await endedOf(bundle)) === 20 + n, { timeout: 20_000 })
  }
  const rows =
    await bundle.sql`select result as pid, state, attempt, redeliveries from rowbeat.results where task = 'leak'`
  t.ok(rows.every((row) => row.state === 'SUCCESS' && row.attempt === 1 && row.redeliveries === 0))
  t.match(parent.stderr(), /"why":"runs"/)
  t.match(parent.stderr(), /"why":"memory"/)
  t.notMatch(parent.stderr(), /is started again|died/, 'nobody fell')
  parent.kill('SIGTERM')
  t.match(await parent.ended(), { code: 0 })
})

t.test('a worker may end by itself, after so many runs', async (t) => {
  const bundle = await setup(t)
  const cwd = folder(t)
  writeFileSync(join(cwd, 'tasks.ts'), TASKS)
  await enqueue(bundle, 'good', { ms: 100 }, 20)
  const said = await rowbeat(t, ['worker', '--max-runs', '3', '-c', '1', '--prefetch', '2'], {
    cwd,
    env: { DATABASE_URL: bundle.url, ROWBEAT_TASKS: 'tasks.ts' },
  })
  t.equal(said.code, 0)
  const rows = await bundle.sql`select state, attempt, count(*)::int as n from rowbeat.runs group by 1, 2`
  const counts = Object.fromEntries(rows.map(({ state, attempt, n }) => [`${state} ${attempt}`, n as number]))
  const [done = 0, left = 0] = [counts['SUCCESS 1'], counts['PENDING 0']]
  t.ok(done >= 3 && done < 15, JSON.stringify(counts))
  t.equal(done + left, 20, 'what it took and did not begin went back')
})

t.test('what cannot be is refused at once', async (t) => {
  const { url } = await setup(t)
  const env = { DATABASE_URL: url, ROWBEAT_TASKS: 'no/*.ts' }
  const cases: [words: string[], line: RegExp][] = [
    [['--processes', '2'], /No task was found/],
    [['--processes', '0'], /whole number from 1 to 256/],
    [['--processes', '2', '--max-runs', '5'], /--max-runs-per-process/],
    [['--max-memory-per-process', '300000'], /"300MB"/],
    [['--autoscale', '2,20'], /"20,2"/],
    [['-X', 'hihg'], /"hihg" is none of the queues that would be served, which are default, high/],
    [['-X', 'high,default'], /no queue is left/],
  ]
  await Promise.all(
    cases.map(async ([words, line]) => {
      const { code, stderr } = await rowbeat(t, ['worker', ...words], { env, cwd: folder(t) })
      t.equal(code, 2, words.join(' '))
      t.match(stderr, line)
    }),
  )
})
