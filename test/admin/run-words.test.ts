/** What the run pages work out by themselves: calls to copy, the line of time, and whether a run that is told belongs in a list. */
import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import t from 'tap'
import { faultOf, filterOf, isAsked, queryOf } from '../../admin/ui/runs/asked.ts'
import { asCommand, asCurl, asSql, asTypeScript } from '../../admin/ui/runs/calls.ts'
import { segmentsOf, triesOf } from '../../admin/ui/runs/tries.ts'
import { parseRun, type RunDocument } from '../../src/results/run.ts'
import { setup } from '../helpers/bundle.ts'

const at = (seconds: number): string => new Date(Date.UTC(2026, 0, 1) + seconds * 1000).toISOString()
const make = (more: Partial<RunDocument>): RunDocument => ({
  ...parseRun('{}'),
  id: '0199c0de-4a5b-7c6d-8e9f-0a1b2c3d4e5f',
  task: 'demo.echo',
  queue: 'default',
  state: 'SUCCESS',
  priority: 0,
  tags: [],
  headers: {},
  attempt: 1,
  attempts_max: 3,
  created_at: at(0),
  run_at: at(0),
  ...more,
})

/** What ends a text or begins a command, in each of these languages. */
const NASTY = [
  `it's`,
  `'; drop table runs; --`,
  '$(touch x) `id` $HOME',
  '"\\\n\t',
  '</script>',
  '%s {{x}}',
  'ü 🙂',
]

t.test('a call that is copied asks for the same, whatever is in it', async (t) => {
  const { sql } = await setup(t)
  await sql`insert into rowbeat.queues (name) values ('high') on conflict do nothing`
  for (const text of NASTY) {
    const run = make({
      queue: 'high',
      priority: 3,
      input: { text, list: [text] },
      tags: [text.trim().slice(0, 60)],
      headers: { text },
    })
    const [call] = asSql(run).split(';\n')
    const [{ enqueue }] = (await sql.unsafe(call!)) as unknown as [{ enqueue: string }]
    const [stored] =
      await sql`select task, queue, priority, input, tags, headers from rowbeat.run(${enqueue})`
    t.strictSame(
      { ...stored },
      {
        task: run.task,
        queue: 'high',
        priority: 3,
        input: run.input,
        tags: run.tags,
        headers: run.headers,
      },
    )
    const said = (line: string): string[] =>
      execFileSync('bash', ['-c', `show() { printf '%s\\0' "$@"; }; ${line}`], { encoding: 'utf8' })
        .split('\0')
        .slice(0, -1)
    const curl = said(asCurl(run, 'https://jobs.example.com').replace(/^curl/, 'show'))
    t.strictSame(JSON.parse(curl.at(-1)!), {
      task: run.task,
      input: run.input,
      queue: 'high',
      priority: 3,
      tags: run.tags,
      headers: run.headers,
    })
    const command = said(
      asCommand(run)
        .split('\n')[0]!
        .replace(/^rowbeat/, 'show'),
    )
    t.strictSame(JSON.parse(command[2]!), run.input)
    const asked: unknown[] = []
    const enqueueHere = (...given: unknown[]): void => void asked.push(...given)
    // oxlint-disable-next-line no-new-func, typescript/no-implied-eval -- it is code that is looked at
    new Function('rowbeat', `return (async () => { ${asTypeScript(run)} })()`)({ enqueue: enqueueHere })
    t.strictSame(asked.slice(0, 2), [run.task, run.input])
  }
})

t.test('tries are told once, the one that runs or ended the run with them', (t) => {
  const failed = {
    attempt: 1,
    outcome: 'retry',
    worker: 'w',
    started_at: at(1),
    finished_at: at(3),
    error: null,
    retry_at: at(5),
  } as const
  const over = make({ attempt: 2, started_at: at(6), finished_at: at(10), worker: 'w' })
  t.strictSame(
    triesOf(over, [failed]).map(({ number, outcome }) => [number, outcome]),
    [
      [1, 'retry'],
      [2, 'SUCCESS'],
    ],
  )
  const lastFailed = {
    ...failed,
    attempt: 2,
    outcome: 'failed',
    started_at: at(6),
    finished_at: at(10),
    retry_at: null,
  } as const
  t.equal(triesOf({ ...over, state: 'FAILURE' }, [failed, lastFailed]).length, 2)
  t.equal(triesOf(make({ state: 'RETRY', started_at: null }), [failed]).length, 1)
  t.strictSame(triesOf(make({ state: 'STARTED', started_at: at(1) }), []).at(-1)!.outcome, 'running')
  t.strictSame(
    segmentsOf(over, triesOf(over, [failed]), 0).map(({ kind, fromMs, untilMs }) => [
      kind,
      (untilMs - fromMs) / 1000,
    ]),
    [
      ['wait', 1],
      ['run', 2],
      ['wait', 3],
      ['run', 4],
    ],
  )
  t.end()
})

t.test('the line of time has no gap and no overlap, and is as long as the run took', (t) => {
  const moments = fc.array(fc.tuple(fc.nat(50), fc.nat(50)), { maxLength: 6 })
  fc.assert(
    fc.property(moments, fc.nat(50), (given, tail) => {
      let now = 0
      const attempts = given.map(([wait, took], n) => {
        const started = (now += wait)
        const finished = (now += took)
        return {
          attempt: n + 1,
          outcome: 'retry',
          worker: 'w',
          started_at: at(started),
          finished_at: at(finished),
          error: null,
          retry_at: null,
        } as const
      })
      const run = make({ state: 'REVOKED', finished_at: at(now + tail), started_at: null })
      const segments = segmentsOf(run, triesOf(run, attempts), 0)
      const length = segments.reduce((sum, { fromMs, untilMs }) => sum + untilMs - fromMs, 0)
      if (length !== (now + tail) * 1000) throw new Error(`${length}`)
      for (const [n, one] of segments.entries())
        if (n > 0 && segments[n - 1]!.untilMs !== one.fromMs) throw new Error('a gap')
    }),
  )
  t.end()
})

t.test('a run that is told is held against the list, or left open', (t) => {
  const run = { id: 'a', task: 'mail.send', queue: 'high', state: 'PENDING' as const, schedule: null }
  const ask = (q: string, states: string[] = []): boolean | null => isAsked(run, { q, states })
  t.equal(ask(''), true)
  t.equal(ask('', ['FAILURE']), false)
  t.equal(ask('task:mail.send queue:high created:>-1h'), true)
  t.equal(ask('task:mail.test'), false)
  t.equal(ask('-queue:high'), false)
  t.equal(ask('state:failed'), false)
  t.equal(ask('input.user:1'), null)
  t.equal(ask('queue:low input.user:1'), false, 'one no is enough')
  t.equal(ask('no:field'), null)
  t.match(faultOf('no:field'), /is no field of a run/)
  t.equal(faultOf('task:x'), null)
  t.strictSame(queryOf({ q: 'x', states: ['RETRY', 'FAILURE'] }), { q: 'x', state: 'RETRY,FAILURE' })
  t.strictSame(filterOf({ q: '', states: [] }), { all: true })
  t.strictSame(filterOf({ q: 'x', states: ['RETRY'] }), { q: 'x', state: ['RETRY'] })
  t.end()
})
