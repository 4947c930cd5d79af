/** What became of a try: every rule of src/worker/outcome.ts as a table. */
import t from 'tap'
import { Discard, Retry, Snooze, task } from '../../src/index.ts'
import type { TaskOptions } from '../../src/index.ts'
import { errorData, fail, refuseInput, succeed } from '../../src/worker/outcome.ts'
import type { Try } from '../../src/worker/outcome.ts'

const tryOf = (attempt: number, allowed: number, options: TaskOptions = {}, retry?: Try['retry']): Try => ({
  task: task('test.outcome', options, () => {}),
  attempt,
  allowed,
  retry,
})
const half = (): number => 0.5
const constant: TaskOptions = { retry: { backoff: 'constant', base: '2s' } }

t.test('what a handler returned decides between SUCCESS and FAILURE', async (t) => {
  const cycle: Record<string, unknown> = {}
  cycle.self = cycle
  const cases: [name: string, value: unknown, state: string, words?: RegExp][] = [
    ['nothing', undefined, 'SUCCESS'],
    ['null', null, 'SUCCESS'],
    ['a deep value', { a: [1, 'два', { b: true }] }, 'SUCCESS'],
    ['a Date', new Date(0), 'SUCCESS'],
    ['a bigint', { n: 1n }, 'FAILURE', /\/result\/n .*bigint/],
    ['NUL', ['a\u0000b'], 'FAILURE', /\/result\/0 .*U\+0000/],
    ['a lone surrogate', '\ud800', 'FAILURE', /surrogate/],
    ['NaN', Number.NaN, 'FAILURE', /NaN/],
    ['a function', () => {}, 'FAILURE', /function/],
    ['a Map', new Map(), 'FAILURE', /Map/],
    ['a cycle', cycle, 'FAILURE', /cycle/],
    [
      'a getter that throws',
      {
        get a() {
          throw new Error('looked')
        },
      },
      'FAILURE',
      /threw while it was read: looked/,
    ],
    [
      'a toJSON that throws',
      {
        toJSON() {
          throw new Error('asked')
        },
      },
      'FAILURE',
      /asked/,
    ],
    ['two megabytes', 'x'.repeat(2_000_000), 'FAILURE', /larger than/],
  ]
  for (const [name, value, state, words] of cases) {
    const outcome = succeed(value)
    t.equal(outcome.state, state, name)
    if (!words) continue
    t.match(outcome, {
      reason: 'error',
      outcome: 'failed',
      error: { name: 'OutcomeNotStorable', code: 'RB_RESULT_INVALID', message: words, stack: null },
    })
  }
})

t.test('what a handler threw decides between another try and FAILURE', async (t) => {
  const error = new Error('boom')
  const cases: [name: string, thrown: unknown, tried: Try, expected: object][] = [
    ['the only try', error, tryOf(1, 1), { state: 'FAILURE', reason: 'error', outcome: 'failed' }],
    [
      'a try of several',
      error,
      tryOf(1, 3, constant),
      { state: 'PARK', reason: 'retry', delay: 2, outcome: 'retry', patch: { attempt: 1, attempts_max: 3 } },
    ],
    ['full jitter', error, tryOf(3, 5, { retry: {} }), { state: 'PARK', delay: 2 }],
    ['the last of several', error, tryOf(3, 3), { state: 'FAILURE', reason: 'attempts_exhausted' }],
    ['Retry says when', new Retry({ in: '7s' }), tryOf(1, 2), { state: 'PARK', reason: 'retry', delay: 7 }],
    ['Retry leaves it to the policy', new Retry(), tryOf(1, 2, constant), { state: 'PARK', delay: 2 }],
    ['Retry on the last try', new Retry(), tryOf(2, 2), { state: 'FAILURE', reason: 'attempts_exhausted' }],
    ['Retry on the only try', new Retry(), tryOf(1, 1), { state: 'FAILURE', reason: 'error' }],
    [
      'Snooze',
      new Snooze('3s'),
      tryOf(1, 1),
      { state: 'PARK', reason: 'snooze', delay: 3, outcome: 'snooze' },
    ],
    ['Discard', new Discard('no'), tryOf(1, 9), { state: 'FAILURE', reason: 'discarded', outcome: 'failed' }],
    [
      'an error not worth it',
      error,
      tryOf(1, 9, { retry: { when: () => false } }),
      { state: 'FAILURE', reason: 'error' },
    ],
    [
      'an error worth it',
      error,
      tryOf(1, 9, { retry: { when: (e) => e === error, jitter: false } }),
      { state: 'PARK', delay: 1 },
    ],
    [
      'a `when` that throws',
      error,
      tryOf(1, 9, {
        retry: {
          when: () => {
            throw new Error('in when')
          },
        },
      }),
      { state: 'FAILURE', reason: 'error' },
    ],
    [
      '`when` does not judge Retry',
      new Retry(),
      tryOf(1, 9, { retry: { when: () => false } }),
      { state: 'PARK' },
    ],
    [
      "the call's own policy wins",
      error,
      tryOf(1, 9, constant, { backoff: 'constant', base: 9 }),
      { delay: 9 },
    ],
    [
      'a backoff that throws waits a minute',
      error,
      tryOf(1, 9, {
        retry: {
          backoff: () => {
            throw new Error('in backoff')
          },
        },
      }),
      { state: 'PARK', delay: 60 },
    ],
    [
      'a backoff that returns nonsense waits a minute',
      error,
      tryOf(1, 9, { retry: { backoff: () => 'soon' as never } }),
      { state: 'PARK', delay: 60 },
    ],
    ['text', 'a string', tryOf(1, 1), { state: 'FAILURE', error: { name: 'NonError', message: 'a string' } }],
  ]
  for (const [name, thrown, tried, expected] of cases) t.match(fail(thrown, tried, half), expected, name)
  t.notOk(fail(new Snooze(1), tryOf(2, 3), half).patch, 'a snooze leaves the count of tries alone')
})

t.test('any thrown value becomes data that any column takes', async (t) => {
  t.match(errorData(new TypeError('m', { cause: new RangeError('c') })), {
    name: 'TypeError',
    message: 'm',
    code: null,
    stack: /outcome\.test\.ts/,
    cause: { name: 'RangeError', message: 'c', cause: null },
  })
  t.match(errorData(Object.assign(new Error('x'), { code: 'ENOENT' })), { code: 'ENOENT' })
  t.match(errorData(Object.assign(new Error('x'), { code: { no: 1 } })), { code: null })
  t.match(errorData(new Error('a\u0000b\ud800')), { message: 'a\ufffdb\ufffd' })
  t.ok(errorData(new Error('long'.repeat(100_000))).message.length < 20_000, 'a message has a limit')
  const cyclic = new Error('round')
  cyclic.cause = cyclic
  t.equal(JSON.stringify(errorData(cyclic)).split('round').length > 5, true, 'a circle of causes is cut')

  const words: [unknown, string][] = [
    [undefined, 'undefined'],
    [null, 'null'],
    [42, '42'],
    [{ a: 1 }, '{"a":1}'],
    [Symbol('s'), 'Symbol(s)'],
    [10n, '10'],
    [
      {
        toJSON: () => {
          throw new Error('no')
        },
      },
      'a value that has no text',
    ],
  ]
  for (const [thrown, message] of words) t.match(errorData(thrown), { name: 'NonError', message })
})

t.test('an error that refuses to be looked at is data all the same', async (t) => {
  const hostile = new Error('x')
  Object.defineProperty(hostile, 'message', {
    get() {
      throw new Error('in the getter')
    },
  })
  const shapeless = Object.assign(new Error('x'), { message: Object.create(null), name: Symbol('n') })
  for (const thrown of [
    hostile,
    shapeless,
    new Proxy(new Error('x'), {
      get() {
        throw new Error('trap')
      },
    }),
  ]) {
    t.match(fail(thrown, tryOf(1, 1), half), { state: 'FAILURE', error: { name: String, message: String } })
  }
})

t.test('a refused input is a FAILURE of its own', async (t) => {
  t.match(refuseInput('/input/x must be a number'), {
    state: 'FAILURE',
    reason: 'input_invalid',
    error: { name: 'InputInvalid', code: 'RB_INPUT_INVALID', message: '/input/x must be a number' },
  })
})
