/** Anything at all as an option or a body: it is enqueued, or refused by a field's name; nothing else ever comes back. */
import fc from 'fast-check'
import t from 'tap'
import { createRowbeat, EnqueueError, DefinitionError } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'

const { sql } = await setup(t)
const rowbeat = createRowbeat({ db: sql })

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.constantFrom(
    '',
    'infinity',
    'now',
    '1e400',
    'NaN',
    '5 weeks',
    '1.5h',
    '2026-01-31T00:00:00Z',
    '0001-01-01T00:00:00Z',
    '9999-12-31T23:59:59Z',
    '9'.repeat(30),
    'high',
    'keep',
  ),
)
const number = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom(0, -0, 1e300, -1e300, 2 ** 31, 2 ** 53, 32_767, -32_769, 1e-9),
)
const json = fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' })
const value = fc.oneof(
  text,
  number,
  fc.boolean(),
  fc.constant(null),
  json,
  fc.array(text, { maxLength: 3 }),
  fc.uuid(),
)
const KEYS = [
  'queue',
  'priority',
  'delay',
  'eta',
  'expires',
  'id',
  'unique_key',
  'on_conflict',
  'tags',
  'headers',
  'attempts_max',
  'retry',
  'time_limit',
  'soft_time_limit',
  'concurrency_key',
  'rate_key',
  'ignore_result',
  'parent',
  'retention',
  'retry_of',
  'schedule',
  'due_at',
]
const likely: Record<string, fc.Arbitrary<unknown>> = {
  queue: fc.constantFrom('high', 'default', 'a_b-1'),
  priority: fc.integer({ min: -40_000, max: 40_000 }),
  delay: fc.constantFrom(5, '5s', '1 day', 0),
  on_conflict: fc.constantFrom('keep', 'replace', 'reject'),
  unique_key: fc.constantFrom('a', 'b'),
  tags: fc.array(fc.string({ maxLength: 70 }), { maxLength: 22 }),
  headers: fc.dictionary(fc.string(), json),
  retry: fc.record(
    {
      backoff: fc.oneof(fc.constantFrom('linear', 'constant'), fc.array(value)),
      base: value,
      cap: value,
      jitter: fc.boolean(),
    },
    { requiredKeys: [] },
  ),
  id: fc.constantFrom('0192a0f0-0000-7000-8000-0000000000dd', '0192A0F0-0000-7000-8000-0000000000DE'),
  eta: fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
}
const body = fc
  .record(Object.fromEntries(KEYS.map((key) => [key, likely[key] ? fc.oneof(likely[key], value) : value])), {
    requiredKeys: [],
  })
  .chain((options) =>
    fc
      .subarray(Object.keys(options), { maxLength: 4 })
      .map((keys) => Object.fromEntries(keys.map((key) => [key, options[key]]))),
  )

t.test(
  'SQL refuses a body with 22023 and the name of a field, or takes it and can tell it back',
  async (t) => {
    let taken = 0
    for (const options of fc.sample(fc.tuple(body, json), 500)) {
      const run = { task: 'f.sql', input: options[1], ...options[0] }
      const text = JSON.stringify([run])
      if (!text.isWellFormed() || text.includes('\\u0000') || /\\ud[89a-f]/i.test(text)) continue
      try {
        const [made] = await sql`select id::text as id from rowbeat.enqueue_many(${text}::text::jsonb)`
        t.equal((await sql`select rowbeat.run_json_v1(r) as run from rowbeat.run(${made!.id}) r`).length, 1)
        taken++
      } catch (error) {
        const { code, message } = error as { code: string; message: string }
        const isNamed =
          code === '22023'
            ? /^[a-z_]+: ./.test(message)
            : code === '23505' && message.startsWith('unique_key: ')
        if (!isNamed) t.fail(`${code} ${message} for ${text}`)
      }
    }
    t.ok(taken > 50, `${taken} were taken`)
  },
)

t.test('TypeScript refuses options with an EnqueueError that names one, or takes them', async (t) => {
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSparseArray: true,
    maxDepth: 2,
  })
  const camel = (key: string): string => key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
  const options = fc.oneof(
    body.map((fields) =>
      Object.fromEntries(Object.entries(fields).map(([key, value]) => [camel(key), value])),
    ),
    fc.record({ [fc.sample(fc.constantFrom(...KEYS.map(camel)), 1)[0]!]: anything }),
    fc.dictionary(fc.constantFrom(...KEYS.map(camel)), anything, { maxKeys: 2 }),
  )
  let taken = 0
  const settled = await Promise.allSettled(
    fc.sample(options, 500).map((given) => rowbeat.enqueue('f.ts', {}, given)),
  )
  for (const one of settled) {
    if (one.status === 'fulfilled') taken++
    else if (!(one.reason instanceof EnqueueError) || one.reason.faults.length === 0)
      t.fail(`${one.reason.stack}`)
  }
  t.ok(taken > 50, `${taken} were taken`)
})

t.test('any text as the name of a task is refused, or is a name', async (t) => {
  const names = fc.sample(
    fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_.-]{0,20}$/)),
    200,
  )
  for (const one of await Promise.allSettled(names.map((name) => rowbeat.enqueue(name)))) {
    if (one.status === 'rejected')
      t.ok(one.reason instanceof DefinitionError && one.reason.code === 'RB_TASK_UNKNOWN')
  }
  t.end()
})
