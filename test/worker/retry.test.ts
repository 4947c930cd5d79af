/** Retry policies: Celery's formula, held against what the real Celery answered, and ours beside it. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { backoffMs, explainRetryPolicy, storePolicy } from '../../src/tasks/retry.ts'

interface Vectors {
  get_exponential_backoff_interval: { factor: number; retries: number; maximum: number; seconds: number }[]
  autoretry_countdown: {
    retry_backoff: boolean | number
    retries: number
    retry_backoff_max: number
    countdown: number | string
  }[]
}
const vectors = JSON.parse(
  readFileSync(new URL('../fixtures/conformance/retry_backoff.json', import.meta.url), 'utf8'),
) as Vectors
const never = (): number => t.fail('no jitter was asked for') as never

t.test('the exponential backoff is the one Celery computes', async (t) => {
  let compared = 0
  for (const { factor, retries, maximum, seconds } of vectors.get_exponential_backoff_interval) {
    // Negative factors are refused here, and Celery's whole numbers cut 1.9 to 1: ours are kept as given.
    if (factor < 0 || !Number.isInteger(factor)) continue
    const policy = { backoff: 'exponential', base: factor, cap: maximum, jitter: false } as const
    t.equal(
      backoffMs(policy, retries + 1, never),
      seconds * 1000,
      JSON.stringify({ factor, retries, maximum }),
    )
    compared++
  }
  t.ok(compared > 100, `${compared} vectors compared`)
})

t.test('the countdown of autoretry is the same, in fractions too', async (t) => {
  for (const { retry_backoff, retries, retry_backoff_max, countdown } of vectors.autoretry_countdown) {
    // Celery takes a negative one as zero; here it is refused where the policy is given.
    if (typeof countdown !== 'number' || Number(retry_backoff) < 0) continue
    const base = Number(retry_backoff)
    const expected = Number.isInteger(base)
      ? countdown
      : Math.max(0, Math.min(retry_backoff_max, base * 2 ** retries))
    const policy = { base, cap: retry_backoff_max, jitter: false }
    t.equal(backoffMs(policy, retries + 1, never), expected * 1000, JSON.stringify({ base, retries }))
  }
})

t.test('every kind of backoff, its cap and its jitter', async (t) => {
  const seconds = (policy: Parameters<typeof backoffMs>[0], random = 0.5): number[] =>
    [1, 2, 3, 4].map((attempt) => backoffMs(policy, attempt, () => random) / 1000)
  t.strictSame(seconds({ backoff: 'constant', base: '3s' }), [3, 3, 3, 3])
  t.strictSame(seconds({ backoff: 'linear', base: 2, jitter: false, cap: 5 }), [2, 4, 5, 5])
  t.strictSame(seconds({ backoff: ['1s', '10s'] }), [1, 10, 10, 10])
  t.strictSame(seconds({ backoff: (n) => n * n }), [1, 4, 9, 16])
  t.strictSame(seconds({ backoff: (n) => n * n, cap: 5 }), [1, 4, 5, 5])
  t.strictSame(seconds({}), [0.5, 1, 2, 4], 'exponential from one second with full jitter is the default')
  t.strictSame(seconds({}, 0), [0, 0, 0, 0])
  t.equal(backoffMs({ jitter: false }, 5000, never), 600_000, 'the cap holds however often it was tried')
})

t.test('a policy that makes no sense is explained', async (t) => {
  const wrong: [unknown, RegExp][] = [
    [{ base: -1 }, /base must be a duration/],
    [{ cap: 'soon' }, /cap must be a duration/],
    [{ backoff: 'quadratic' }, /backoff must be constant/],
    [{ backoff: [] }, /backoff must be/],
    [{ backoff: ['1s', 'x'] }, /backoff must be/],
    [{ jitter: 'yes' }, /jitter must be true or false/],
    [{ when: true }, /when must be a function/],
    [{ max: 3 }, /has "max"/],
    [[], /must be an object/],
  ]
  for (const [policy, words] of wrong) t.match(explainRetryPolicy(policy), words)
  t.equal(explainRetryPolicy({ backoff: 'linear', base: '2s', cap: '1m', jitter: false }), null)
  t.strictSame(
    JSON.parse(JSON.stringify(storePolicy({ backoff: () => 1, base: '2s', when: () => true }))),
    { base: '2s' },
    'functions do not travel',
  )
})
