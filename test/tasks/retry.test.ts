/** How long before the next try: the formula, the cap, the jitter, for policies from code and from rows. */
import fc from 'fast-check'
import t from 'tap'
import { backoffMs, explainRetryPolicy, storePolicy, type RetryPolicy } from '../../src/tasks/retry.ts'

const delays = (policy: RetryPolicy, tries = 5): number[] =>
  Array.from({ length: tries }, (_, i) => backoffMs({ jitter: false, ...policy }, i + 1, () => 1))

t.test('without jitter each backoff is its formula, capped', (t) => {
  t.strictSame(delays({}), [1000, 2000, 4000, 8000, 16_000])
  t.strictSame(
    delays({ backoff: 'exponential', base: '1.9s', cap: '10s' }),
    [1900, 3800, 7600, 10_000, 10_000],
  )
  t.strictSame(delays({ backoff: 'linear', base: '2s' }), [2000, 4000, 6000, 8000, 10_000])
  t.strictSame(delays({ backoff: 'constant', base: '100ms' }), [100, 100, 100, 100, 100])
  t.strictSame(delays({ backoff: ['1s', 10, '1 minute'] }), [1000, 10_000, 60_000, 60_000, 60_000])
  t.strictSame(delays({ backoff: (n) => n * n }), [1000, 4000, 9000, 16_000, 25_000])
  t.strictSame(delays({ backoff: ['1 hour'] }, 1), [600_000], 'the cap is 10 minutes unless the policy says')
  t.equal(
    backoffMs({ jitter: false, cap: '1 day' }, 5000, () => 1),
    86_400_000,
    'no overflow at any try',
  )
  t.end()
})

t.test(
  'full jitter is anything from nothing to the delay; constant, lists and functions have none by default',
  (t) => {
    t.equal(
      backoffMs({}, 3, () => 0),
      0,
    )
    t.equal(
      backoffMs({}, 3, () => 0.5),
      2000,
    )
    t.equal(
      backoffMs({ backoff: 'linear' }, 3, () => 0.5),
      1500,
    )
    t.equal(
      backoffMs({ backoff: 'constant' }, 3, () => 0.5),
      1000,
    )
    t.equal(
      backoffMs({ backoff: ['8s'] }, 3, () => 0.5),
      8000,
    )
    t.equal(
      backoffMs({ backoff: () => 8 }, 3, () => 0.5),
      8000,
    )
    t.equal(
      backoffMs({ backoff: 'constant', jitter: true }, 3, () => 0.5),
      500,
    )
    t.end()
  },
)

t.test('a broken function of a policy says what it returned', (t) => {
  t.throws(() => backoffMs({ backoff: () => 'soon' as never }, 1, () => 0), {
    message: /^what retry.backoff returned is "soon"/,
  })
  t.end()
})

t.test('a stored policy waits as the policy it was stored from; functions do not travel', (t) => {
  const duration = fc.oneof(fc.integer({ min: 0, max: 10_000 }), fc.constantFrom('1s', '250ms', '3 minutes'))
  const policy = fc.record(
    {
      backoff: fc.oneof(
        fc.constantFrom('constant', 'linear', 'exponential'),
        fc.array(duration, { minLength: 1, maxLength: 4 }),
      ),
      base: duration,
      cap: duration,
      jitter: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(policy, fc.integer({ min: 1, max: 60 }), (given, attempt) => {
      const policy = given as RetryPolicy
      const stored = JSON.parse(JSON.stringify(storePolicy(policy)))
      const ms = backoffMs(stored, attempt, () => 0.3)
      return explainRetryPolicy(stored) === null && ms === backoffMs(policy, attempt, () => 0.3) && ms >= 0
    }),
  )
  t.strictSame(JSON.parse(JSON.stringify(storePolicy({ backoff: () => 5, base: '1s', when: () => true }))), {
    base: '1s',
  })
  t.equal(storePolicy(undefined), null)
  t.end()
})
