/** Rates: Celery's strings, read as Celery reads them where they limit, and refused where they would not. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { parseRate } from '../../src/tasks/rate.ts'
import { task } from '../../src/tasks/task.ts'

interface Vector {
  input: string | number | null
  per_second?: number
}
const file = new URL('../fixtures/conformance/retry_backoff.json', import.meta.url)
const { rate_limit_strings: vectors } = JSON.parse(readFileSync(file, 'utf8')) as {
  rate_limit_strings: Vector[]
}
/** What Celery takes and we refuse. */
const ODD: readonly unknown[] = ['10/', '-5/s']

t.test('what limits in Celery is the same number here; what does not limit is refused', async (t) => {
  t.equal(vectors.length, 10)
  for (const { input, per_second: perSecond = 0 } of vectors) {
    const rate = parseRate(input)
    if (perSecond <= 0 || ODD.includes(input)) t.equal(rate, null, `${input} is refused`)
    else t.equal((1000 * rate!.count) / rate!.perMs, perSecond, `${input}`)
  }
})

t.test('counts and units', async (t) => {
  t.strictSame(parseRate('10/m'), { count: 10, perMs: 60_000 })
  t.strictSame(parseRate('5/d'), { count: 5, perMs: 86_400_000 })
  t.strictSame(parseRate(' 3/h '), { count: 3, perMs: 3_600_000 })
  t.strictSame(parseRate('50/s'), { count: 50, perMs: 1000 })
  t.strictSame(parseRate('50'), { count: 50, perMs: 1000 })
  t.strictSame(parseRate(0.5), { count: 0.5, perMs: 1000 })
  for (const odd of [
    '',
    '/m',
    '10/x',
    '10 / m',
    '1e3/s',
    'Infinity',
    '0',
    0,
    -1,
    NaN,
    Infinity,
    '1/m/s',
    {},
    null,
  ])
    t.equal(parseRate(odd), null, String(odd))
})

const WRONG: [Record<string, unknown>, RegExp][] = [
  [{ rate: '10/' }, /rate is "10\/"; give a number above 0 and a unit/],
  [{ rate: { limit: '-5/s' } }, /rate is "-5\/s"/],
  [{ rate: { limit: '5/s', burst: 0 } }, /the burst of rate/],
  [{ rate: { limit: '5/s', key: 'user' } }, /the key of rate must be a function/],
  [{ rate: { limit: '5/s', per: 'm' } }, /"per" is no part of rate/],
  [{ concurrency: 0 }, /the limit of concurrency/],
  [{ concurrency: { limit: 2.5 } }, /the limit of concurrency/],
  [{ concurrency: { limit: 1, strategy: 'drop' } }, /must be one of wait, skip, cancel_oldest/],
  [{ concurrency: { limit: 1, key: 5 } }, /the key of concurrency/],
  [{ isolate: 'fork' }, /isolate must be 'thread' or 'process'/],
  [{ isolate: 'thread', transactional: true }, /a transactional task cannot be isolated/],
  [{ memoryLimit: 64 }, /memoryLimit is for an isolated task/],
  [{ recycleAfter: 5 }, /recycleAfter is for an isolated task/],
  [{ module: 'x.ts' }, /module is for an isolated task/],
  [{ isolate: 'thread', memoryLimit: '5 MB' }, /memoryLimit must be megabytes/],
  [{ isolate: 'thread', memoryLimit: 'much' }, /memoryLimit must be megabytes/],
  [{ isolate: 'thread', recycleAfter: 0 }, /recycleAfter must be a whole number/],
  [{ isolate: 'thread', module: '' }, /module must be the path or file URL/],
]

t.test('limits and isolation that cannot work are refused where the task is defined', async (t) => {
  for (const [options, message] of WRONG)
    t.throws(() => task('x', options, () => 1), { code: 'RB_TASK_INVALID', message })
  const limits = {
    rate: { limit: 10, burst: 5, key: () => 'a' },
    concurrency: { limit: 2, strategy: 'skip' },
  } as const
  t.match(task('x', { ...limits, timeLimit: 0, softTimeLimit: 5 }, () => 1).options, limits)
})

t.test('an isolated task knows the files it may be found in, the nearest first', async (t) => {
  t.equal(task('x', { isolate: 'thread' }, () => 1).modules[0], import.meta.url)
  t.strictSame(task('x', { isolate: 'thread', module: '/a/b.js', memoryLimit: '1 GB' }, () => 1).modules, [
    'file:///a/b.js',
  ])
  t.strictSame(task('x', {}, () => 1).modules, [])
})
