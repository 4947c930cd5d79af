/** What may be written of a schedule: every field, its default, what it refuses and where it says so. */
import fc from 'fast-check'
import t from 'tap'
import { createAlmanac } from '../../src/schedules/almanac.ts'
import {
  findClashes,
  readDefinition,
  whyNever,
  type ScheduleDefinition,
} from '../../src/schedules/definition.ts'
import type { Fault } from '../../src/errors.ts'

const EVERY = { kind: 'interval', every: 10, period: 'seconds' }
const LEAST = { name: 'tick', task: 'demo.add', schedule: EVERY }
const ONCE = { kind: 'clocked', at: '2026-12-24T18:00:00.000Z' }

const read = (body: unknown, partial = false): ReturnType<typeof readDefinition> =>
  readDefinition(body, { zone: 'Europe/Kyiv', partial })
const faultsOf = (more: object): readonly Fault[] => read({ ...LEAST, ...more }).faults
const whole = (more: object): ScheduleDefinition => {
  const { definition, faults } = read({ ...LEAST, ...more })
  if (faults.length > 0) throw new Error(JSON.stringify(faults))
  return definition as ScheduleDefinition
}

const DEFAULTS = {
  name: 'tick',
  task: 'demo.add',
  input: {},
  schedule: EVERY,
  enabled: true,
  queue: null,
  priority: null,
  tags: [],
  headers: {},
  expires: null,
  one_off: false,
  start_at: null,
  end_at: null,
  jitter: null,
  overlap: 'allow',
  catch_up: 'last',
  catch_up_window: null,
  firings_max: null,
  failures_max: null,
  anchor_at: null,
  description: '',
}

t.test('what is left out has its default, and null stands for it', async (t) => {
  t.strictSame(read(LEAST), { definition: DEFAULTS, faults: [] })
  const nulls = Object.fromEntries(Object.keys(DEFAULTS).map((key) => [key, null]))
  t.strictSame(read({ ...nulls, ...LEAST }), { definition: DEFAULTS, faults: [] })
})

t.test('two definitions share no default', async (t) => {
  const [one, other] = [whole({}), whole({})]
  one.tags.push('mine')
  one.headers.mine = true
  t.strictSame([other.tags, other.headers], [[], {}])
})

t.test('every field is kept as REST answers it: seconds, UTC, the whole schedule', async (t) => {
  t.strictSame(
    whole({
      input: { x: 1, y: null },
      schedule: { kind: 'crontab', hour: '3', minute: 0 },
      enabled: false,
      queue: 'high',
      priority: -5,
      tags: ['a', 'b'],
      headers: { trace: { id: 1 } },
      expires: '10 minutes',
      one_off: true,
      start_at: '2026-12-01T02:00:00+02:00',
      end_at: '2027-01-01T00:00:00Z',
      jitter: '1.5s',
      overlap: 'buffer_one',
      catch_up: 'all',
      catch_up_window: '2h',
      firings_max: 3,
      failures_max: 5,
      anchor_at: '2026-01-01T00:00:00.5Z',
      description: 'As it was.',
    }),
    {
      name: 'tick',
      task: 'demo.add',
      input: { x: 1, y: null },
      schedule: {
        kind: 'crontab',
        minute: '0',
        hour: '3',
        day_of_month: '*',
        month_of_year: '*',
        day_of_week: '*',
        timezone: 'Europe/Kyiv',
        mode: 'celery',
      },
      enabled: false,
      queue: 'high',
      priority: -5,
      tags: ['a', 'b'],
      headers: { trace: { id: 1 } },
      expires: 600,
      one_off: true,
      start_at: '2026-12-01T00:00:00.000Z',
      end_at: '2027-01-01T00:00:00.000Z',
      jitter: 1.5,
      overlap: 'buffer_one',
      catch_up: 'all',
      catch_up_window: 7200,
      firings_max: 3,
      failures_max: 5,
      anchor_at: '2026-01-01T00:00:00.500Z',
      description: 'As it was.',
    },
  )
})

t.test('what is answered can be read again and is the same', async (t) => {
  for (const more of [{}, { schedule: ONCE }, { expires: 0.25, jitter: '100ms', tags: ['x'] }]) {
    const once = whole(more)
    t.strictSame(whole(JSON.parse(JSON.stringify(once))), once)
  }
})

t.test('a part gives what was given and nothing else; null gives the default', async (t) => {
  t.strictSame(read({ enabled: false }, true), { definition: { enabled: false }, faults: [] })
  t.strictSame(read({ queue: null, jitter: null, tags: null, input: null }, true), {
    definition: { input: {}, queue: null, tags: [], jitter: null },
    faults: [],
  })
  t.strictSame(read({}, true), { definition: {}, faults: [] })
  t.strictSame(read({ name: null }, true).faults, [
    { pointer: '/name', detail: 'is missing; give the schedule a name' },
  ])
})

t.test('what must be given is missed, all of it at once', async (t) => {
  t.strictSame(
    read({}).faults.map(({ pointer, detail }) => `${pointer} ${detail}`),
    [
      '/name is missing; give the schedule a name',
      '/task is missing; name the task to run',
      '/schedule is missing; say when, as in {"kind": "interval", "every": 10, "period": "minutes"}',
    ],
  )
  for (const body of [null, undefined, 'x', 1, [LEAST]])
    t.match(read(body), { definition: {}, faults: [{ pointer: '', detail: /^must be an object such as/ }] })
})

const WRONG: [field: string, detail: RegExp, values: unknown[]][] = [
  ['name', /1 to 200 characters/, ['', 1, 'x'.repeat(201), {}]],
  ['name', /not be blank/, [' ', '\t\n']],
  ['name', /U\+0000/, ['a\u0000b']],
  ['task', /must match/, ['', 'a b', '1st', 'x'.repeat(91), 5]],
  ['enabled', /true or false/, ['true', 1, 0]],
  ['queue', /must match/, ['High', '', 'a'.repeat(33), 1]],
  ['priority', /-32768 to 32767/, [40_000, 1.5, '1', -32_769]],
  ['tags', /at most 20 texts/, ['a', [''], [1], Array(21).fill('x'), ['x'.repeat(65)]]],
  ['headers', /object of at most 64 KiB/, [[1], 'x', 1, { big: 'x'.repeat(70_000) }]],
  ['expires', /must be a duration/, ['soon', -1, '', [], '1 month']],
  ['expires', /longer than nothing/, [0, '0s']],
  ['one_off', /true or false/, ['yes', 1]],
  [
    'start_at',
    /must be an instant/,
    ['tomorrow', '2026-12-01', 0, '2026-02-30T00:00:00Z', '9999-12-31T23:59:59-01:00'],
  ],
  ['end_at', /must be an instant/, ['', 1_700_000_000]],
  ['jitter', /must be a duration/, ['-1s', true]],
  ['overlap', /^must be allow, skip, buffer_one or cancel_other$/, ['', 'queue', true]],
  ['catch_up', /^must be skip, last or all$/, ['', 'none', false]],
  ['catch_up_window', /must be a duration/, ['all', {}]],
  ['firings_max', /1 to 2147483647/, [0, -1, 1.5, '3', 2 ** 31]],
  ['failures_max', /1 to 2147483647/, [0, true]],
  ['anchor_at', /must be an instant/, ['noon']],
  ['description', /0 to 10000 characters/, [1, 'x'.repeat(10_001)]],
  ['input', /U\+0000/, ['a\u0000b']],
  ['input', /larger than/, [{ big: 'x'.repeat(1_100_000) }]],
]
t.test('each field refuses what it cannot be, at itself', async (t) => {
  for (const [field, detail, values] of WRONG)
    for (const value of values) {
      const faults = faultsOf({ [field]: value })
      t.match(faults, [{ pointer: `/${field}`, detail }], `${field} ${JSON.stringify(value)?.slice(0, 40)}`)
      t.equal(faults.length, 1)
    }
  t.match(faultsOf({ input: { deep: ['ok', 'a\ud800'] } }), [{ pointer: '/input/deep/1' }])
  t.match(faultsOf({ headers: { bad: '\u0000' } }), [{ pointer: '/headers/bad' }])
  t.match(faultsOf({ schedule: { kind: 'solar', event: 'sunset', latitude: 91, longitude: 0 } }), [
    { pointer: '/schedule/latitude' },
  ])
})

t.test('a name counts characters, as PostgreSQL does', async (t) => {
  t.equal(whole({ name: '🌇'.repeat(200) }).name.length, 400)
  t.match(faultsOf({ name: '🌇'.repeat(201) }), [{ pointer: '/name' }])
})

t.test(
  'an unknown field is refused with those that are known, an answered one with the reason',
  async (t) => {
    t.match(faultsOf({ 'cron/tab': 1 }), [
      {
        pointer: '/cron~1tab',
        detail: /^is not a field of a schedule; known are name, task, input, schedule, /,
      },
    ])
    for (const key of ['id', 'next_run_at', 'version', 'text', 'kind'])
      t.strictSame(faultsOf({ [key]: 1 }), [
        { pointer: `/${key}`, detail: 'is answered and never taken; leave it out' },
      ])
  },
)

t.test('every wrong place is told at once, each with a pointer of its own', async (t) => {
  const faults = faultsOf({ task: '?', queue: 'X', schedule: { kind: 'interval', every: 0 }, nonsense: 1 })
  const pointers = faults.map(({ pointer }) => pointer)
  t.strictSame(pointers.toSorted(), ['/nonsense', '/queue', '/schedule/every', '/schedule/period', '/task'])
})

t.test('a clocked schedule is one-off by nature; saying otherwise is refused', async (t) => {
  t.equal(whole({ schedule: ONCE }).one_off, true)
  t.equal(whole({ schedule: ONCE, one_off: null }).one_off, true)
  t.equal(whole({ schedule: ONCE, one_off: true }).one_off, true)
  t.match(faultsOf({ schedule: ONCE, one_off: false }), [{ pointer: '/one_off', detail: /^must be true/ }])
  t.strictSame(read({ schedule: ONCE }, true).definition, { schedule: ONCE, one_off: true })
  t.match(findClashes({ ...whole({ schedule: ONCE }), one_off: false }), [{ pointer: '/one_off' }])
})

t.test('an end comes after its start', async (t) => {
  const at = '2026-12-01T00:00:00Z'
  t.strictSame(faultsOf({ start_at: at, end_at: at }), [
    { pointer: '/end_at', detail: 'must be after start_at' },
  ])
  t.strictSame(faultsOf({ start_at: '2026-12-01T02:00:00+02:00', end_at: '2026-12-01T00:00:00.001Z' }), [])
  t.match(findClashes({ start_at: '2026-12-02T00:00:00.000Z', end_at: '2026-12-01T00:00:00.000Z' }), [
    { pointer: '/end_at' },
  ])
})

const NOW = Date.UTC(2026, 10, 21, 12)
const almanac = createAlmanac()
const never = (more: object): Fault | null => whyNever(whole(more), almanac, NOW)

t.test('what can still fire is let be', async (t) => {
  for (const more of [
    {},
    { schedule: ONCE },
    { schedule: { kind: 'crontab', month_of_year: '2', day_of_month: '29' } },
    { start_at: '2099-01-01T00:00:00Z' },
    { start_at: '2026-11-21T11:00:00Z', end_at: '2026-11-21T12:00:10Z' },
    { end_at: '2026-11-21T12:00:10Z', anchor_at: '2026-11-21T12:00:00Z' },
    { schedule: { kind: 'solar', event: 'sunset', latitude: 90, longitude: 0 } },
  ])
    t.equal(never(more), null, JSON.stringify(more))
})

t.test('what can never fire any more is refused where it can be mended', async (t) => {
  t.strictSame(never({ schedule: { kind: 'clocked', at: '2026-11-21T12:00:00Z' } }), {
    pointer: '/schedule/at',
    detail: 'is past; give an instant that lies ahead',
  })
  t.strictSame(never({ end_at: '2026-11-21T12:00:00Z' }), {
    pointer: '/end_at',
    detail: 'is past; give a later one, or none',
  })
  t.strictSame(never({ end_at: '1970-01-01T00:00:00Z' })?.pointer, '/end_at')
  const nightly = { kind: 'crontab', minute: '0', hour: '3' }
  t.strictSame(
    never({ schedule: nightly, start_at: '2026-11-22T01:00:01Z', end_at: '2026-11-23T00:59:59Z' }),
    {
      pointer: '/end_at',
      detail: 'leaves no instant: the first would be 2026-11-23T01:00:00.000Z',
    },
  )
  t.strictSame(never({ schedule: ONCE, end_at: '2026-12-24T17:59:59Z' })?.pointer, '/end_at')
  t.strictSame(never({ schedule: ONCE, start_at: '2026-12-24T18:00:01Z' }), {
    pointer: '/start_at',
    detail: 'is after the last instant; give an earlier one',
  })
  t.strictSame(
    never({ anchor_at: '9999-12-31T23:59:59.995Z', start_at: '9999-12-31T23:59:59.996Z' })?.pointer,
    '/start_at',
  )
})

t.test('whatever is given there are faults or a definition that reads again as itself', async () => {
  const value = fc.oneof(
    fc.anything(),
    fc.constantFrom(null, true, 'high', 5, '10s', ['a'], '2027-01-01T00:00:00Z', 'skip', 'all', {}),
  )
  const body = fc
    .dictionary(fc.constantFrom(...Object.keys(DEFAULTS)), value)
    .chain((some) => fc.constantFrom(some, { ...some, ...LEAST }, { ...LEAST, ...some }))
  fc.assert(
    fc.property(body, fc.boolean(), (given, partial) => {
      const { definition, faults } = read(given, partial)
      if (faults.length > 0)
        return faults.every(({ pointer, detail }) => pointer.startsWith('/') && detail !== '')
      const text = JSON.stringify(definition)
      const again = read(JSON.parse(text), partial)
      return again.faults.length === 0 && JSON.stringify(again.definition) === text
    }),
    { numRuns: 2000 },
  )
})
