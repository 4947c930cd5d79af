/** Schedules in code: the words for when, what a schedule declares, and that what is wrong throws where it is written. */
import t from 'tap'
import { z } from 'zod'
import { ScheduleError } from '../../src/errors.ts'
import {
  at,
  cron,
  every,
  isSchedule,
  listSchedules,
  schedule,
  solar,
  type ScheduleTree,
} from '../../src/schedules/schedule.ts'
import { task } from '../../src/tasks/task.ts'

const tick = task('s.tick', {}, () => null)
const add = task('s.add', {}, ({ x, y }: { x: number; y: number }) => x + y)

/** The words of a ScheduleError, which is all that may be thrown. */
const refusal = (make: () => unknown): string => {
  try {
    make()
  } catch (error) {
    if (error instanceof ScheduleError && error.code === 'RB_SCHEDULE_INVALID') return error.message
    throw error
  }
  return 'nothing was thrown'
}

t.test('every: seconds, or a number and a unit, in the largest unit that is whole', async (t) => {
  const told = (interval: Parameters<typeof every>[0]): unknown => {
    const when = every(interval)
    return when.kind === 'interval' ? `${when.every} ${when.period}` : when
  }
  for (const [interval, words] of [
    [10, '10 seconds'],
    [0.25, '250 milliseconds'],
    [90, '90 seconds'],
    [3600, '1 hours'],
    ['15 minutes', '15 minutes'],
    ['15m', '15 minutes'],
    ['100ms', '100 milliseconds'],
    ['1.5 hours', '90 minutes'],
    ['36 hours', '36 hours'],
    ['24h', '1 days'],
    ['2w', '2 weeks'],
    ['1 month', '1 months'],
    ['3 months', '3 months'],
    ['2years', '2 years'],
    ['1 year', '1 years'],
  ] as const)
    t.equal(told(interval), words)
})

t.test('every: what is none, too short or too long throws a sentence', async (t) => {
  for (const [interval, words] of [
    ['15 minuts', /^every\("15 minuts"\) is no interval: give seconds as a number, or text such as .*\.$/],
    ['', /is no interval/],
    ['1.5 months', /is no interval/],
    ['-1 months', /is no interval/],
    ['1 month 2 days', /is no interval/],
    [null, /is no interval/],
    [Number.NaN, /is no interval/],
    [-5, /is no interval/],
    [0, /^every\(0\) must be a whole number, 1 or more\.$/],
    [0.05, /^every\(0.05\) must come to 100 milliseconds or more\.$/],
    ['101 years', /100 years or less/],
    ['0 months', /whole number, 1 or more/],
  ] as const)
    t.match(
      refusal(() => every(interval as never)),
      words,
    )
})

t.test('cron: a line, an alias or fields; a zone that is not named is left open', async (t) => {
  const open = {
    kind: 'crontab',
    minute: '0',
    hour: '3',
    day_of_month: '*',
    month_of_year: '*',
    day_of_week: '*',
    mode: 'celery',
  }
  t.strictSame(cron('0 3 * * *'), open)
  t.strictSame(cron({ minute: 0, hour: '3' }), open)
  t.match(cron('@daily'), { minute: '0', hour: '0' })
  t.match(cron({ minute: [0, 30], hour: '8-18', dayOfMonth: 1, monthOfYear: 'jan', dayOfWeek: ['mon', 5] }), {
    minute: '0,30',
    hour: '8-18',
    day_of_month: '1',
    month_of_year: 'jan',
    day_of_week: 'mon,5',
  })
  t.match(cron('0 3 * * *', { timezone: 'Europe/Rome', mode: 'cron' }), {
    timezone: 'Europe/Rome',
    mode: 'cron',
  })
  t.notOk('timezone' in cron('0 3 * * *', { timezone: undefined, mode: undefined }))
})

t.test('cron: what is not understood, cannot be or names no zone throws', async (t) => {
  for (const [make, words] of [
    [() => cron('* * * *' as never), /^cron\("\* \* \* \*"\): .*five fields.*\.$/],
    [() => cron('@reboot' as never), /reboot/],
    [() => cron('60 * * * *'), /^cron\("60 \* \* \* \*"\): minute .*\.$/],
    [() => cron('0 0 31 2 *'), /day_of_month|31/],
    [() => cron({ minute: '5/2' }), /minute/],
    [
      () => cron({ seconds: 5 } as never),
      /"seconds" is not known; known are minute, hour, dayOfMonth, monthOfYear, dayOfWeek\.$/,
    ],
    [() => cron('0 3 * * *', { timezone: 'Europe/Kiyv' }), /timezone/],
    [
      () => cron('0 3 * * *', { zone: 'Europe/Kyiv' } as never),
      /"zone" is not known; known are timezone, mode\.$/,
    ],
    [() => cron('0 3 * * *', { mode: 'quartz' as never }), /mode/],
    [() => cron(null as never), /^cron\(null\): give five fields/],
    [() => cron(undefined as never), /^cron\(undefined\): give five fields/],
    [() => cron(5 as never), /^cron\(5\): give five fields/],
  ] as const)
    t.match(refusal(make), words)
})

t.test('solar and at', async (t) => {
  t.strictSame(solar('sunset', { latitude: 50.45, longitude: 30.52 }), {
    kind: 'solar',
    event: 'sunset',
    latitude: 50.45,
    longitude: 30.52,
  })
  t.strictSame(at(new Date(0)), { kind: 'clocked', at: '1970-01-01T00:00:00.000Z' })
  t.strictSame(at('2026-12-24T20:00:00+02:00'), { kind: 'clocked', at: '2026-12-24T18:00:00.000Z' })
  t.match(
    refusal(() => solar('sunset', { latitude: 91, longitude: 0 })),
    /^solar\("sunset"\): latitude must be .* -90 to 90/,
  )
  t.match(
    refusal(() => solar('moonrise' as never, { latitude: 0, longitude: 0 })),
    /event must be dawn_astronomical/,
  )
  t.match(
    refusal(() => at('tomorrow')),
    /^at\(tomorrow\): give a Date, or an instant such as/,
  )
  t.match(
    refusal(() => at(new Date(Number.NaN))),
    /^at\(Invalid Date\)/,
  )
})

t.test('what the words for when give cannot be changed', async (t) => {
  for (const when of [
    every(10),
    cron('@daily'),
    solar('sunset', { latitude: 0, longitude: 0 }),
    at(new Date(0)),
  ])
    t.ok(Object.isFrozen(when), when.kind)
})

t.test('a schedule resolves to a whole definition, its crontab in the zone of who declares it', async (t) => {
  const nightly = schedule(
    's.nightly',
    cron('0 3 * * *'),
    add,
    { x: 1, y: 2 },
    {
      enabled: false,
      queue: 'high',
      priority: 3,
      tags: ['a'],
      headers: { trace: 'x' },
      expires: '1h',
      oneOff: true,
      startAt: new Date('2026-12-01T00:00:00Z'),
      endAt: '2027-12-01T02:00:00+02:00',
      jitter: 30,
      overlap: 'cancel_other',
      catchUp: 'all',
      catchUpWindow: '1 day',
      firingsMax: 3,
      failuresMax: 2,
      anchorAt: '2026-01-01T00:00:00Z',
      description: 'Adds.',
    },
  )
  t.ok(isSchedule(nightly))
  t.equal(nightly.task, add)
  t.strictSame(nightly.resolve('Asia/Tashkent'), {
    name: 's.nightly',
    task: 's.add',
    input: { x: 1, y: 2 },
    schedule: {
      kind: 'crontab',
      minute: '0',
      hour: '3',
      day_of_month: '*',
      month_of_year: '*',
      day_of_week: '*',
      timezone: 'Asia/Tashkent',
      mode: 'celery',
    },
    enabled: false,
    queue: 'high',
    priority: 3,
    tags: ['a'],
    headers: { trace: 'x' },
    expires: 3600,
    one_off: true,
    start_at: '2026-12-01T00:00:00.000Z',
    end_at: '2027-12-01T00:00:00.000Z',
    jitter: 30,
    overlap: 'cancel_other',
    catch_up: 'all',
    catch_up_window: 86_400,
    firings_max: 3,
    failures_max: 2,
    anchor_at: '2026-01-01T00:00:00.000Z',
    description: 'Adds.',
  })
  t.match(nightly.resolve('UTC').schedule, { timezone: 'UTC' })
  const rome = schedule('s.rome', cron('0 3 * * *', { timezone: 'Europe/Rome' }), tick)
  t.match(rome.resolve('UTC').schedule, { timezone: 'Europe/Rome' })
  t.match(
    refusal(() => nightly.resolve('Mars/Olympus')),
    /^schedule "s.nightly": schedule\/timezone/,
  )
})

t.test('defaults: an empty input, and one-off for an instant', async (t) => {
  t.match(schedule('s.a', every(10), tick).resolve('UTC'), { input: {}, one_off: false, enabled: true })
  t.match(schedule('s.b', at('2026-12-24T18:00:00Z'), 'other.task').resolve('UTC'), {
    task: 'other.task',
    one_off: true,
  })
})

t.test('it stays what it was, whoever changes what it was made of or what it gave', async (t) => {
  const input = { x: 1, y: 2 }
  const tags = ['a']
  const made = schedule('s.kept', every(10), add, input, { tags })
  input.x = 9
  tags.push('b')
  const given = made.resolve('UTC')
  given.tags.push('c')
  Object.assign(given.input as object, { x: 10 })
  t.match(made.resolve('UTC'), { input: { x: 1, y: 2 }, tags: ['a'] })
  t.equal(made.resolve('UTC').tags.length, 1)
  t.ok(Object.isFrozen(made))
})

t.test(
  'what is wrong throws at once, by the name it has in TypeScript, with a fault for each place',
  async (t) => {
    for (const [make, words] of [
      [() => schedule('', every(10), tick), /^schedule "": name must be text of 1 to 200 characters\.$/],
      [() => schedule('n', every(10), '1st'), /^schedule "n": task must match/],
      [() => schedule('n', every(10), undefined as unknown as string), /^schedule "n": task is missing/],
      [() => schedule('n', undefined as never, tick), /^schedule "n": schedule is missing/],
      [() => schedule('n', '@daily' as never, tick), /^schedule "n": schedule must be an object/],
      [
        () => schedule('n', every(10), tick, undefined, { catchUp: 'none' as never }),
        /^schedule "n": catchUp must be skip, last or all\.$/,
      ],
      [
        () => schedule('n', every(10), tick, undefined, { catch_up: 'all' } as never),
        /^schedule "n": "catch_up" is no option of a schedule; known are enabled, queue, .*\.$/,
      ],
      [
        () => schedule('n', every(10), tick, undefined, { startAt: new Date(Number.NaN) }),
        /^schedule "n": startAt .*\.$/,
      ],
      [
        () => schedule('n', every(10), tick, undefined, { startAt: new Date(5), endAt: new Date(5) }),
        /^schedule "n": endAt must be after start_at/,
      ],
      [
        () => schedule('n', at(new Date(5)), tick, undefined, { oneOff: false }),
        /^schedule "n": oneOff must be true/,
      ],
      [
        () => schedule('n', every(10), tick, undefined, 5 as never),
        /^schedule "n": options must be an object\.$/,
      ],
      [
        () => schedule('n', every(10), 'by.name', { a: '\u0000' }),
        /^schedule "n": input\/a has the character U\+0000/,
      ],
    ] as const)
      t.match(refusal(make), words)
    try {
      schedule('n', every(10), tick, undefined, { queue: 'X', priority: 1.5, jitter: 'soon' as never })
      t.fail('nothing was thrown')
    } catch (error) {
      const { faults } = error as ScheduleError
      t.match(faults, [{ pointer: '/queue' }, { pointer: '/priority' }, { pointer: '/jitter' }])
    }
  },
)

t.test("the input is checked by the task's schema when it is declared", async (t) => {
  const strict = task('s.strict', { input: z.object({ path: z.string() }) }, () => null)
  t.match(schedule('n', every(10), strict, { path: 'in.csv' }).resolve('UTC'), { input: { path: 'in.csv' } })
  t.match(
    refusal(() => schedule('n', every(10), strict, { path: 5 } as never)),
    /^schedule "n": input\/path .*string/,
  )
  t.match(
    refusal(() => schedule('n', every(10), strict, undefined as never)),
    /^schedule "n": input\/path/,
  )
})

t.test('a schema that answers later cannot hold up a module, nor end the process', async (t) => {
  const validate = (): Promise<never> => Promise.reject(new Error('no such place'))
  const slow = task(
    's.slow',
    { input: { '~standard': { version: 1, vendor: 'test', validate } } },
    () => null,
  )
  t.ok(isSchedule(schedule('n', every(10), slow, { path: 'x' })))
  await new Promise((resolve) => setImmediate(resolve))
})

t.test('a tree of schedules gives each once; two of one name, or what is none, throw', async (t) => {
  const [a, b] = [schedule('s.a', every(10), tick), schedule('s.b', every(10), tick)]
  t.strictSame(listSchedules([a, { b, more: [a, []] }]), [a, b])
  t.strictSame(listSchedules(undefined), [])
  t.strictSame(listSchedules({ none: undefined } as unknown as ScheduleTree), [])
  t.throws(() => listSchedules([a, schedule('s.a', every(20), tick)]), {
    name: 'ScheduleError',
    code: 'RB_SCHEDULE_DUPLICATE',
    message: 'two schedules are named "s.a": rename one of them.',
  })
  t.match(
    refusal(() => listSchedules([a, 'nightly'] as never)),
    /^schedules: nightly is not a schedule; make it with schedule/,
  )
  for (const value of [null, undefined, {}, tick, '~schedule']) t.notOk(isSchedule(value))
})
