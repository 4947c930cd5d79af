/** `rowbeat top`: pictures that fit whatever the terminal, keys, and a terminal that is given back however it ends. */
import { execFileSync } from 'node:child_process'
import t from 'tap'
import { drawFrame, shareOut, type Scene } from '../../src/cli/top/frame.ts'
import { figuresOf, type Figures, type Look } from '../../src/cli/top/figures.ts'
import { keysIn, press, START, type View, type Wish } from '../../src/cli/top/view.ts'
import { clip, pad, widthOf } from '../../src/cli/top/width.ts'
import { setup } from '../helpers/bundle.ts'
import { ROOT, startProcess, type Process } from '../helpers/process.ts'
import { until } from '../helpers/wait.ts'
import { scripted } from '../helpers/tasks.ts'
import { startWorker } from '../helpers/worker.ts'
import { folder } from './command.ts'
import { here } from './here.ts'

const queue = (name: string, more: Partial<Figures['queues'][number]> = {}): Figures['queues'][number] => ({
  name,
  state: 'open',
  waiting: 0,
  capped: false,
  change: null,
  oldest_age: null,
  running: 0,
  slots: 1,
  rate: 0,
  failed: 0,
  waited_p95: null,
  ...more,
})
const worker = (name: string, runs: number): Figures['workers'][number] => ({
  name,
  state: 'ok',
  running: runs,
  slots: 10,
  rate: 1,
  failing: 0,
  rss_bytes: 1e8,
  loop_lag_ms: 1,
  runs: Array.from({ length: runs }, (_, at) => ({
    id: `id${at}`,
    task: '任務.名',
    attempt: 2,
    seconds: at,
  })),
})
const FIGURES: Figures = {
  at: '2026-01-31T12:00:00.000Z',
  throughput: { succeeded: 1234.5, failed: 0, retried: 0, revoked: 0 },
  running: 30,
  slots: 99,
  waiting: 12_345_678,
  queues: [
    queue('default', { waiting: 5, oldest_age: 90_000, waited_p95: 12.34 }),
    queue('high', { state: 'paused', failed: 7 }),
    ...Array.from({ length: 30 }, (_, at) => queue(`queue-${at}`, { waiting: at, slots: at % 2 })),
  ],
  workers: [worker('evil\u001b[2J\r\nname', 3), worker('漢字'.repeat(40), 9)],
  problems: [{ level: 'error', detail: 'x'.repeat(300) } as Figures['problems'][number]],
}
const scene = (view: Partial<View> = {}, more: Partial<Scene> = {}): Scene => ({
  figures: FIGURES,
  view: { ...START, ...view },
  place: 'db.example.net:5432/shop',
  history: Array.from({ length: 300 }, (_, at) => at),
  trouble: null,
  ...more,
})

t.test(
  'a picture has as many lines as the terminal, none wider, nothing that moves the cursor',
  async (t) => {
    for (const rows of [1, 2, 5, 10, 12, 24, 60, 200])
      for (const columns of [1, 10, 40, 80, 81, 200])
        for (const one of [
          scene(),
          scene({ focus: 'workers', isHelping: true }),
          scene({ focus: 'workers', filter: 'e' }, { trouble: 'PostgreSQL cannot be reached' }),
          scene({ question: { queue: 'high', verb: 'resume' } }),
          scene({ isFiltering: true, filter: 'nothing' }),
        ]) {
          const lines = drawFrame(one, { rows, columns })
          const widths = lines.map(({ text }) => widthOf(text))
          if (lines.length !== rows || Math.max(...widths) > columns)
            t.fail(`${rows} x ${columns}: ${lines.length} lines, ${Math.max(...widths)} wide`)
          // oxlint-disable-next-line no-control-regex -- that is what is looked for
          if (lines.some(({ text }) => /[\u0000-\u001f\u007f-\u009f]/.test(text)))
            t.fail(`${rows} x ${columns}`)
        }
    const text = drawFrame(scene(), { rows: 24, columns: 80 }).map((line) => line.text)
    t.match(text[0], /^rowbeat \d.* db\.example\.net:5432\/shop +12:00:00Z$/)
    t.match(text[1], /^problems 1 {2}workers 2 {2}running 30\/99 {2}waiting 12345678 {2}done 1234\.5\/s/)
    t.match(text.join('\n'), /^QUEUE +STATE WAITING +OLDEST +RUN SLOTS +DONE WAIT P95 +FAILED$/m)
    t.match(text.join('\n'), /^default +open +5 +25 h +0 +1 +0\.0\/s +12\.3 s +0$/m)
    t.match(text.join('\n'), /… \d+ more/)
    t.match(text.at(-1), /^q leave .*\? help$/)
  },
)

t.test('rows are shared out by need, and never more than there are', async (t) => {
  t.strictSame(shareOut([3, 3, 3], 100), [3, 3, 3])
  t.strictSame(shareOut([30, 3, 30], 23), [10, 3, 10])
  t.strictSame(shareOut([5, 5], 1), [1, 0])
  t.strictSame(shareOut([], 5), [])
  t.strictSame([clip('abcdef', 4), clip('漢字', 3), clip('a\u001bb', 9)], ['abc…', '漢…', 'a?b'])
  t.equal(widthOf(pad('漢字', 9)), 9)
})

t.test('keys choose, sort, filter, hold and ask', async (t) => {
  t.strictSame(keysIn('\u001b[A\u001bOBq\u001b[Zx\t\u0003'), ['up', 'down', 'q', 'tab', 'x', 'tab', 'leave'])
  t.strictSame(keysIn('\u001b'), ['escape'])
  const type = (keys: readonly string[]): { view: View; wish: Wish | null } => {
    let [view, wish]: [View, Wish | null] = [START, null]
    for (const key of keys) ({ view, wish } = press(view, key, FIGURES))
    return { view, wish }
  }
  t.strictSame(type(['q']).wish, { kind: 'leave' })
  t.strictSame(type(['leave']).wish, { kind: 'leave' })
  t.strictSame(type(['p', 'y']).wish, { kind: 'pause', queue: 'default' })
  t.strictSame(type(['down', 'p', 'y']).wish, { kind: 'resume', queue: 'high' })
  t.strictSame(type(['p', 'n']).wish, null)
  t.strictSame(type(['tab', 'p']).view.word, 'Choose a queue first.')
  t.match(type(['s']).view, { sort: 'waiting' })
  t.match(type(['left']).view, { sort: 'failed' })
  t.strictSame(type(['s', 'p', 'y']).wish, { kind: 'pause', queue: 'queue-29' })
  t.strictSame(type(['s', 'r', 'up', 'up', 'p', 'y']).wish?.kind, 'pause')
  t.match(type(['/', 'q', 'u', 'back', 'escape']).view, { filter: '', isFiltering: false })
  t.match(type(['/', 'h', 'i', 'enter']).view, { filter: 'hi', isFiltering: false })
  t.strictSame(type(['/', 'h', 'i', 'enter', 'p', 'y']).wish, { kind: 'resume', queue: 'high' })
  t.match(type([' ', '?', 'suspend']), {
    view: { isFrozen: true, isHelping: true },
    wish: { kind: 'suspend' },
  })
})

t.test('rates are what workers counted between two looks', async (t) => {
  const at = (atMs: number, succeeded: number, id = 'w.1'): Look =>
    ({
      at: '',
      atMs,
      queues: [],
      recent: new Map(),
      tasks: new Map(),
      problems: [],
      workers: [{ id, name: 'w', processed: { succeeded, failed: 1 }, queues: { a: 2 }, running: [] }],
    }) as unknown as Look
  t.equal(figuresOf(at(0, 5), null).throughput, null)
  t.match(figuresOf(at(2000, 25), at(0, 5)), {
    throughput: { succeeded: 10, failed: 0 },
    workers: [{ rate: 10 }],
  })
  t.match(figuresOf(at(1000, 3, 'w.2'), at(0, 500)), {
    throughput: { succeeded: 3 },
    workers: [{ rate: null }],
  })
})

t.test('away from a terminal it prints what it saw and ends', async (t) => {
  const { url } = await setup(t)
  const { rowbeat } = await startWorker(t, url, { name: 'w1' })
  const run = await rowbeat.enqueue(scripted, { fate: 'hang', obedient: true })
  await rowbeat.enqueue('test.unknown', {}, { queue: 'dark' })
  await until('it is listed as running', async () => (await run.state()) === 'STARTED')
  const options = { env: { DATABASE_URL: url }, cwd: folder(t) }
  const { code, stdout } = await here(['top', '--interval', '1s'], options)
  t.equal(code, 0)
  t.match(stdout, /^default +open +0 +- +1 +10 /m)
  t.match(stdout, /^w1 +ok +1\/10 /m)
  t.match(stdout, /^ +\d\.\d s {2}test\.scripted +[0-9a-f-]{36}$/m)
  t.match(stdout, /^PROBLEMS\n {2}error: No live worker serves queue dark/m)
  const told = JSON.parse((await here(['top', '--json', '--interval', '200ms'], options)).stdout)
  t.match(told, { waiting: 1, running: 1, queues: [{ name: 'dark' }, { name: 'default' }, { name: 'high' }] })
})

const hasScript = ((): boolean => {
  try {
    return /util-linux/.test(execFileSync('script', ['--version'], { encoding: 'utf8' }))
  } catch {
    return false
  }
})()

t.test('in a terminal it is left as it was', { skip: !hasScript && 'needs util-linux' }, async (t) => {
  const { url, sql } = await setup(t)
  const begin = async (size: string): Promise<Process> => {
    const top = `sh -c 'echo pid $$; exec "${process.execPath}" "${ROOT}bin/rowbeat.js" top'`
    const line = `stty ${size}; ${top}; echo code $?; stty -a`
    const env = { DATABASE_URL: url, SHELL: '/bin/sh' }
    const child = startProcess(t, '-qfec', {
      program: 'script',
      args: [line, '/dev/null'],
      env,
      stdin: 'pipe',
    })
    await child.line(/WORKER/, 30_000)
    return child
  }
  const isLeft = async (child: Process, what: string): Promise<void> => {
    t.match(await child.ended(), { code: 0 }, what)
    const after = child.output().split('\u001b[?1049l')
    t.equal(after.length, 2, `${what}: the alternate screen is left once`)
    t.ok(after[0]!.includes('\u001b[?1049h') && after[0]!.endsWith('\u001b[?25h'), what)
    t.match(after[1], /code 0\r?\n/, what)
    t.match(after[1], / icanon .* echo /s, `${what}: keys are shown again`)
  }
  const one = await begin('rows 24 cols 80')
  one.write('j')
  one.write('p')
  await one.line(/Pause high\? What runs goes on\./)
  one.write('y')
  await one.line(/high is paused\./)
  await until('it is', async () => (await sql`select 1 from rowbeat.queues where paused_at is not null`)[0])
  one.write('q')
  await isLeft(one, 'q')
  const two = await begin('rows 10 cols 40')
  process.kill(Number((await two.line(/pid (\d+)/))[1]), 'SIGTERM')
  await isLeft(two, 'SIGTERM')
})
