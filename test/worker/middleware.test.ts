/** Middleware, hooks and the async context, in a worker: what they see, what they may change, and what they may not. */
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import {
  ConfigError,
  createRowbeat,
  currentRun,
  Discard,
  Retry,
  Snooze,
  task,
  type Middleware,
  type RunHooks,
  type WorkerOptions,
} from '../../src/index.ts'
import { apart } from '../fixtures/isolated-context.ts'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'

const { url, sql } = await setup(t)
const other = createRowbeat({ databaseUrl: url })
t.teardown(() => other.close())
const later: { finish(): void }[] = []
const tasks = {
  apart,
  plain: task('m.plain', {}, ({ x = 1 }: { x?: number }) => x),
  slow: task('m.slow', {}, async ({ x }: { x: number }) => (await turn(), x)),
  fate: task(
    'm.fate',
    { attemptsMax: 2, retry: { base: '1ms' } },
    async ({ fate }: { fate: string }, { run }) => {
      if (fate === 'again' && run.attempt === 1) throw new Retry({ in: '1ms', message: 'once more' })
      if (fate === 'snooze' && (await other.run(null, run.id).get())!.reason !== 'snooze' && !snoozed++)
        throw new Snooze('1ms')
      if (fate === 'fail') throw new TypeError('as always')
      if (fate === 'discard') throw new Discard('no more')
      if (fate === 'odd') return 1n as unknown as string
      return fate
    },
  ),
  held: task('m.held', {}, () => new Promise((resolve) => later.push({ finish: () => resolve('late') }))),
  exact: task('m.exact', { transactional: true }, ({ fail }: { fail?: boolean }) => {
    if (fail) throw new Error('rolled back')
    return currentRun()!.run.task
  }),
  context: task('m.context', {}, async (_: unknown, context) => {
    const seen = [currentRun()]
    await turn()
    seen.push(currentRun())
    await pause(1)
    seen.push(currentRun(), await Promise.all([turn(), pause(1)]).then(() => currentRun()))
    return seen.every((one) => one === context)
  }),
  parent: task('m.parent', {}, async ({ options }: { options?: object }, { run }) => {
    await turn()
    const one = await other.enqueue('m.child', {}, options ?? {})
    const [two] = await sql.begin((tx) => other.in(tx).enqueueMany([{ task: 'm.child', ...options }]))
    return { self: run.id, ids: [one.id, two.id] }
  }),
}
let snoozed = 0

const heard: string[] = []
const say = (word: string): void => void heard.push(`${word}${currentRun() ? '' : ' outside'}`)
const broken: RunHooks = {
  before: () => {
    throw new Error('of a hook')
  },
  after: async () => {
    throw new Error('of a slow hook')
  },
}
const hooks: RunHooks = {
  before: (context, input) => say(`before ${context.run.task} ${JSON.stringify(input)}`),
  after: (_, { state, reason, result, error }) =>
    say(
      `after ${state} ${reason} ${typeof result === 'bigint' ? 'big' : JSON.stringify(result)} ${error?.message}`,
    ),
  error: (_, error) => say(`error ${(error as Error).name} ${(error as Error).message}`),
  retry: (_, error, delay) => say(`retry ${(error as Error).message} ${delay}`),
}
const outer: Middleware = async ({ run }, next, input) => {
  if (run.tags.includes('replace')) return 'instead'
  if (run.tags.includes('refuse')) throw new RangeError('not today')
  if (run.tags.includes('twice')) await next()
  if (run.tags.includes('catch')) return await next().catch((error: Error) => `caught ${error.message}`)
  const result = await next()
  return run.tags.includes('change') ? [result, input] : result
}
const order: string[] = []
const inner: Middleware = async ({ run, log }, next) => {
  if (run.tags.includes('order')) order.push('in')
  log.debug('passing')
  const result = await next()
  if (run.tags.includes('order')) order.push(`out ${String(result)}`)
  return result
}
const first: Middleware = (context, next) => {
  if (context.run.tags.includes('order')) order.push('first')
  return next()
}

const failures: unknown[] = []
const { rowbeat, worker } = await startWorker(t, url, {
  tasks,
  middleware: [broken, first, outer, hooks, inner],
})
worker.events.on('hook:failed', (failure) => failures.push(failure))

t.test(
  'middleware stands around the handler in the order of the list, and may change what comes of it',
  async (t) => {
    const run = async (options: object, x = 3): Promise<unknown> =>
      (await rowbeat.enqueue(tasks.slow, { x }, options)).result()
    t.equal(await run({ tags: ['order'] }), 3)
    t.same(order, ['first', 'in', 'out 3'])
    t.same(await run({ tags: ['change'] }), [3, { x: 3 }])
    t.equal(await run({ tags: ['replace'] }), 'instead')
    await t.rejects(run({ tags: ['refuse'] }), { code: 'RB_RUN_FAILED', data: { name: 'RangeError' } })
    await t.rejects(run({ tags: ['twice'] }), { data: { message: /next\(\) twice/ } } as any)
    const caught = await rowbeat.enqueue(tasks.fate, { fate: 'fail' }, { tags: ['catch'] })
    t.equal(await caught.result(), 'caught as always')
  },
)

t.test('hooks hear of each try, and whatever they throw is told and changes nothing', async (t) => {
  const hear = async (fate: string, wrong?: any): Promise<string[]> => {
    heard.length = 0
    const handle = await rowbeat.enqueue(tasks.fate, { fate })
    await (wrong ? t.rejects(handle.result(), wrong) : handle.result())
    return heard.filter((line) => !line.startsWith('before'))
  }
  t.same(await hear('ok'), ['after SUCCESS null "ok" undefined'])
  t.same(heard[0], 'before m.fate {"fate":"ok"}')
  t.same(await hear('again'), [
    'retry once more 0.001',
    'after RETRY retry undefined once more',
    'after SUCCESS null "again" undefined',
  ])
  t.same(await hear('snooze'), [
    'after SCHEDULED snooze undefined undefined',
    'after SUCCESS null "snooze" undefined',
  ])
  t.match(await hear('fail', { code: 'RB_ATTEMPTS_EXHAUSTED' }), [
    /^retry as always 0/,
    'after RETRY retry undefined as always',
    'error TypeError as always',
    'after FAILURE attempts_exhausted undefined as always',
  ])
  t.same(await hear('discard', {}), ['error Discard no more', 'after FAILURE discarded undefined no more'])
  t.match(await hear('odd', {}), [/^error RunFailed OutcomeNotStorable/, /^after FAILURE error undefined/])
  t.match(failures[0], { task: 'm.slow', hook: 'before', error: { message: 'of a hook' } })
  t.match(failures[1], { task: 'm.slow', hook: 'after', error: { message: 'of a slow hook' } })
})

t.test('a run that is ended from outside is told once, as what it ended as', async (t) => {
  heard.length = 0
  const handle = await rowbeat.enqueue(tasks.held, {})
  await until('it runs', () => later.length === 1)
  await handle.revoke({ terminate: true, reason: 'enough' })
  await until('its end is told', () => heard.length === 2)
  later[0]!.finish()
  await turn()
  t.same(heard.slice(1), ['after REVOKED terminated undefined enough'])
})

t.test('a transactional task has both too', async (t) => {
  heard.length = 0
  t.equal(await (await rowbeat.enqueue(tasks.exact, {})).result(), 'm.exact')
  await t.rejects((await rowbeat.enqueue(tasks.exact, { fail: true })).result())
  t.same(
    heard.filter((line) => !line.startsWith('before')),
    [
      'after SUCCESS null "m.exact" undefined',
      'error Error rolled back',
      'after FAILURE error undefined rolled back',
    ],
  )
})

t.test('currentRun is the run in progress through every await, each of many its own', async (t) => {
  const handles = await rowbeat.enqueueMany(
    Array.from({ length: 30 }, () => ({ task: tasks.context, input: {} })),
  )
  t.ok((await Promise.all(handles.map((handle) => handle.result()))).every((same) => same === true))
  t.equal(currentRun(), null)
  t.notOk(
    heard.some((line) => line.includes('outside')),
    'hooks are inside as well',
  )
})

t.test('an isolated run has its middleware here and its current run there', async (t) => {
  order.length = 0
  t.equal(await (await rowbeat.enqueue(apart, {}, { tags: ['order'] })).result(), true)
  t.same(order, ['first', 'in', 'out true'])
})

t.test('what a handler enqueues has it as parent and goes on its trace', async (t) => {
  const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'a=1' }
  const ask = async (options: object | undefined, headers: Record<string, unknown>): Promise<any[]> => {
    const handle = await rowbeat.enqueue(tasks.parent, { options }, { headers })
    const { self, ids } = await handle.result()
    const rows = await sql`select id, parent, headers from rowbeat.runs where id = any (${ids})`
    t.equal(rows.length, 2)
    return rows.map(({ parent, headers: given }) => [parent === self ? 'self' : parent, given])
  }
  const child = await ask(undefined, { ...trace, user: 1 })
  t.same(
    child,
    [
      ['self', trace],
      ['self', trace],
    ],
    'the trace, and no other header',
  )
  t.match(await ask(undefined, {}), [['self'], ['self']])
  const own = { traceparent: 'own' }
  t.match(await ask({ headers: own }, trace), [
    ['self', own],
    ['self', own],
  ])
  const parent = '0197f3b2-0000-7000-8000-000000000001'
  t.match(await ask({ parent }, {}), [[parent], [parent]])
  t.match(await ask({ parent: null }, {}), [[null], [null]])
  const outside = await rowbeat.enqueue('m.child')
  t.equal((await outside.get())!.parent, null)
})

t.test('what is neither a function nor hooks is refused when the worker is made', async (t) => {
  const { createWorker } = await import('../../src/index.ts')
  for (const [middleware, words] of [
    [[{ on: () => {} }], /item 0 has "on", which is no hook; known are before, after, error, retry/],
    [[() => {}, 'log'], /item 1 is neither a function/],
    [[{ before: true }], /"before", which must be a function/],
    [() => {}, /give a list/],
  ] as [unknown, RegExp][]) {
    const make = (): unknown => createWorker({ databaseUrl: url, tasks, middleware } as WorkerOptions)
    t.throws(make, { constructor: ConfigError, message: words })
  }
})
