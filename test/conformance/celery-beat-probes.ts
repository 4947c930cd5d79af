/**
 * The 49 probes that were put to django-celery-beat, put to us: each answers in one line what happened. What is judged is
 * judged in every place where a schedule can be made: by the one reader that form, REST, code and command line share, and by
 * a row inserted with SQL and the beat that finds it. Where the two differ, the answer says so, and no fixture has such a line.
 */
import { readDefinition, whyNever, type ScheduleDefinition } from '../../src/schedules/definition.ts'
import { createAlmanac } from '../../src/schedules/almanac.ts'
import { every as everyHours, schedule as declared } from '../../src/index.ts'
import { startProcess } from '../helpers/process.ts'
import { until } from '../helpers/wait.ts'
import { dues, every, startBeat, type Columns, type World } from '../beat/world.ts'

interface Owner {
  teardown(handler: () => unknown): unknown
}

export type Probes = Record<string, () => Promise<string>>

const MONDAY = Date.parse('2024-06-10T00:00:00Z')
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const crontab = (fields: object) => ({ kind: 'crontab', ...fields })
const interval = (every: number, period: string) => ({ kind: 'interval', every, period })
const solar = (event: string, latitude: number, longitude: number) => ({
  kind: 'solar',
  event,
  latitude,
  longitude,
})
const hours = interval(1, 'hours')

export function createProbes(t: Owner, world: World): Probes {
  const judge = createJudge(world)
  const accepts = (schedule: object) => () => judge({ schedule })
  return {
    "day_of_week='7'": accepts(crontab({ minute: '0', hour: '3', day_of_week: '7' })),
    "day_of_week='0-7'": accepts(crontab({ minute: '0', hour: '3', day_of_week: '0-7' })),
    "day_of_week='5-7'": accepts(crontab({ minute: '0', hour: '3', day_of_week: '5-7' })),
    "month_of_year='jan'": accepts(crontab({ minute: '0', hour: '3', month_of_year: 'jan' })),
    "month_of_year='feb-apr'": accepts(crontab({ minute: '0', hour: '3', month_of_year: 'feb-apr' })),
    "day_of_week='fri-mon'": accepts(crontab({ minute: '0', hour: '3', day_of_week: 'fri-mon' })),
    "hour='22-2'": accepts(crontab({ minute: '0', hour: '22-2' })),
    "minute='5/15'": accepts(crontab({ minute: '5/15' })),
    "minute='*/60'": accepts(crontab({ minute: '*/60' })),
    "minute='*/59'": accepts(crontab({ minute: '*/59' })),
    "minute='1, 2' (space)": accepts(crontab({ minute: '1, 2' })),
    "minute='' (empty)": accepts(crontab({ minute: '' })),
    "day_of_month='31', month_of_year='2'": accepts(crontab({ day_of_month: '31', month_of_year: '2' })),
    ...neighbours(world),
    ...payloads(world, judge),
    ...faults(t, world),
    ...shapes(world, judge),
    "IntervalSchedule every=0 period='seconds'": accepts(interval(0, 'seconds')),
    "IntervalSchedule every=-1 period='seconds'": accepts(interval(-1, 'seconds')),
    "IntervalSchedule every=1 period='weeks'": accepts(interval(1, 'weeks')),
    "IntervalSchedule every=1000000000 period='days'": accepts(interval(1_000_000_000, 'days')),
    "IntervalSchedule every=1.5 period='seconds'": accepts(interval(1.5, 'seconds')),
    "IntervalSchedule every=1 period='microseconds'": accepts(interval(1, 'microseconds')),
    "SolarSchedule ('sunrise', 91, 0)": accepts(solar('sunrise', 91, 0)),
    "SolarSchedule ('sunrise', 0, 181)": accepts(solar('sunrise', 0, 181)),
    "SolarSchedule ('moonrise', 0, 0)": accepts(solar('moonrise', 0, 0)),
    "SolarSchedule ('sunset', '12.1234567', 0)": accepts(solar('sunset', 12.1234567, 0)),
    ...lives(world),
    ...starts(world),
    ...restarts(t, world),
  }
}

/** What every way to make a schedule says of these columns. */
function createJudge({ put, armed, sql }: World): (columns: Columns) => Promise<string> {
  const almanac = createAlmanac()
  return async (columns) => {
    const whole = { name: 'judged', task: 'a.task', schedule: hours, ...columns }
    const { definition, faults } = readDefinition(whole, { zone: 'UTC' })
    const never = faults.length > 0 ? null : whyNever(definition as ScheduleDefinition, almanac, Date.now())
    const said = [...faults, ...(never ? [never] : [])].map(
      ({ pointer, detail }) => `${pointer.replace(/^\/(schedule\/)?/, '')} ${detail}`,
    )
    const known = await put(columns).then(
      (id) => armed(id),
      (error: Error) => ({ error: error.message, id: null }),
    )
    if (known.id) await sql`delete from rowbeat.schedules where id = ${known.id}`
    if (said.length > 0 && known.error) return `refused: ${said[0]}`
    if (said.length > 0 || known.error) return `REFUSED HERE, ACCEPTED THERE: ${said[0]}, ${known.error}`
    const next = almanac.preview(definition.schedule!, { anchorMs: MONDAY }, MONDAY, 1)
    return `runs ${next.text}; from 10 June 2024 first ${next.next[0]!.replace(/:00.000Z$/, 'Z')}`
  }
}

/** A bad row beside a healthy one. */
function neighbours({ put, row, armed, fired, sql }: World): Probes {
  const beside = async (schedule: object): Promise<string> => {
    const healthy = await put({ schedule: every(100) })
    const odd = await put({ schedule })
    await fired(healthy, 3)
    const { error } = await armed(odd)
    const { enabled } = await row(healthy)
    await sql`delete from rowbeat.schedules`
    return `${error ? `its error is told` : 'it waits for its next instant'}; the healthy one fires${enabled ? '' : ' no more'}`
  }
  return {
    'beat tick with a Feb-31 crontab beside a healthy task': () =>
      beside(crontab({ day_of_month: '31', month_of_year: '2' })),
    'beat tick with polar sunrise (78N, June) beside a healthy task': async () => {
      const spec = { kind: 'solar', event: 'sunrise', latitude: 78, longitude: 15 } as const
      const [next] = createAlmanac().preview(spec, { anchorMs: MONDAY }, MONDAY, 1).next
      return `${await beside(spec)}; from 10 June 2024 that is ${next!.slice(0, 10)}`
    },
  }
}

function payloads({ put, sql, makeDue, fired }: World, judge: (columns: Columns) => Promise<string>): Probes {
  const insertText = async (column: 'input' | 'headers', text: string): Promise<string> => {
    const insert = `insert into rowbeat.schedules (name, task, schedule, ${column}) values ('bad', 'a.task', '{"kind": "crontab"}', '${text}')`
    return sql.unsafe(insert).then(
      () => 'saved',
      (error: Error) => `refused by the INSERT: ${error.message}`,
    )
  }
  const runOf = async (input: unknown): Promise<string> => {
    const id = await put({ input })
    await makeDue(id)
    const [firing] = await fired(id)
    const [run] = await sql`select input from rowbeat.runs where id = ${firing!.run_id}`
    return JSON.stringify(run!.input)
  }
  return {
    "args='[1,' (bad JSON) saved through the ORM": () => insertText('input', '[1,'),
    "headers='{oops' (bad JSON)": () => insertText('headers', '{oops'),
    "headers='[1]' (JSON but not an object)": () => judge({ headers: [1] }),
    'args is a JSON object and kwargs a JSON array': async () =>
      `there is one input: ${await runOf({ a: 1 })} and ${await runOf([1])} reach the run as they are`,
  }
}

function faults(t: Owner, { put, sql, url, row, firings, makeDue, armed, fired, heard }: World): Probes {
  const runs = async (task: string): Promise<number> =>
    (await sql`select count(*)::int as n from rowbeat.runs where task = ${task}`)[0]!.n
  return {
    'broker send raises on a due task: is the run retried?': async () => {
      await sql`create function away() returns trigger language plpgsql as $$ begin raise exception 'away' using errcode = '57P03'; end $$`
      await sql`create trigger away before insert on rowbeat.firings for each row execute function away()`
      const id = await put({ task: 'probe.broker' })
      const due = await makeDue(id)
      const seen = heard.trouble.length
      await until('the beat had trouble', () => heard.trouble.length > seen)
      const still = (await row(id)).next_run_at?.getTime() === due.getTime()
      const during = `${(await firings(id)).length} firings, ${await runs('probe.broker')} runs, ${still ? 'still due' : 'gone on'}`
      await sql`drop trigger away on rowbeat.firings`
      await fired(id)
      return `while it fails: ${during}; after: ${(await firings(id)).length} firing, ${await runs('probe.broker')} run`
    },
    'beat killed after send, before the next sync (sync_every 180 s): duplicate send?': async () => {
      await sql`delete from rowbeat.schedules`
      const child = startProcess(t, 'test/fixtures/beat-process.ts', {
        args: [JSON.stringify({ databaseUrl: url })],
      })
      await child.line(/^ready$/, 20_000)
      const ids = await Promise.all(['warm', 'd'].map(() => put({ task: 'probe.killed' })))
      for (const id of ids) await makeDue(id)
      for (const id of ids) await fired(id)
      child.kill('SIGKILL')
      await child.ended()
      const after = await put({ schedule: every(100) })
      await fired(after, 3)
      const totals = (await Promise.all(ids.map(row))).map(
        ({ firings_total, last_run_at }) => firings_total === '1' && last_run_at,
      )
      return `two tasks, a kill, another beat: ${await runs('probe.killed')} runs; ${totals.every(Boolean) ? 'both' : 'NOT BOTH'} rows know of it`
    },
    'two beats on one database': async () => {
      const { beat } = await startBeat(t, url)
      const id = await put({ task: 'probe.two_beats' })
      await makeDue(id)
      await fired(id)
      const other = await put({ schedule: every(100) })
      await fired(other, 3)
      await beat.stop()
      await sql`delete from rowbeat.schedules`
      return `two beats, one due task: ${await runs('probe.two_beats')} run`
    },
    'edit through QuerySet.update()': async () => {
      const id = await put({ task: 'probe.before' })
      await armed(id)
      await sql`update rowbeat.schedules set task = 'probe.after', schedule = ${sql.json(every(100))} where task = 'probe.before'`
      await fired(id)
      await sql`delete from rowbeat.schedules`
      return `an UPDATE is seen: ${await runs('probe.before')} runs of the task before, ${(await runs('probe.after')) > 0 ? 'runs' : 'NONE'} of the one after`
    },
  }
}

function shapes({ put, row, sql }: World, judge: (columns: Columns) => Promise<string>): Probes {
  const clocked = { kind: 'clocked', at: '2040-01-01T00:00:00Z' }
  const fieldsOf = (columns: Columns): string[] =>
    readDefinition({ name: 'x', task: 'a.task', schedule: hours, ...columns }, { zone: 'UTC' }).faults.map(
      ({ pointer, detail }) => `${pointer.slice(1)} ${detail.split(';')[0]}`,
    )
  return {
    'clocked without one_off': async () => {
      const id = await put({ schedule: clocked, one_off: false })
      return `one_off is ${(await row(id)).one_off} by itself; said false: ${fieldsOf({ schedule: clocked, one_off: false })}`
    },
    'two schedule kinds on one task': () => judge({ schedule: { ...hours, minute: '5' } }),
    'no schedule kind': () => judge({ schedule: {} }),
    'expires and expire_seconds both': async () =>
      `one field, expires, counts from the due instant; ${fieldsOf({ expires: 60, expire_seconds: 60 })}`,
    'duplicate crontab rows': async () => {
      const name = 'duplicate'
      await put({ name, schedule: crontab({}) })
      await put({ name: 'same timing', schedule: crontab({}) })
      const twice = await put({ name }).catch((error: Error & { code: string }) => error.code)
      await sql`delete from rowbeat.schedules`
      return `the timing belongs to its schedule: two of one timing stand; a second of one name is refused (${twice})`
    },
  }
}

function lives({ put, row, sql, firings, armed, makeDue, rewind, fired, refused }: World): Probes {
  return {
    'hour window filter and catch-up after downtime': async () => {
      const id = await put({ schedule: crontab({ minute: '0', hour: '10' }) })
      const next = (await armed(id)).next_run_at!
      await rewind(id, new Date(next.getTime() - 24 * HOUR_MS).toISOString())
      const [missed] = dues(await fired(id))
      const then = (await row(id)).next_run_at!
      const isNext = then.getTime() === next.getTime()
      return `the missed ${missed!.slice(11, 16)} is made up for as soon as a beat is back; then ${isNext ? 'the next day' : 'AT'} at ${then.toISOString().slice(11, 16)}`
    },
    'one_off lifecycle': async () => {
      const id = await put({ one_off: true })
      await makeDue(id)
      await fired(id)
      const { enabled, firings_total, last_run_at } = await row(id)
      return `runs ${(await firings(id)).length}, enabled ${enabled}, firings_total ${firings_total}, last_run_at ${last_run_at ? 'kept' : 'LOST'}`
    },
    'expires in the past': async () => {
      const id = await put({ schedule: hours, end_at: '2024-01-01T00:00:00Z' })
      return `that is end_at: refused, ${await refused(id)}; runs ${(await firings(id)).length}`
    },
    'clocked time in the past (runs late or not?)': async () => {
      const id = await put({ schedule: { kind: 'clocked', at: '2024-01-01T00:00:00Z' } })
      return `refused, ${await refused(id)}; runs ${(await firings(id)).length}`
    },
    'disable then enable': async () => {
      const id = await put({ schedule: hours })
      const due = await makeDue(id)
      await fired(id)
      await sql`update rowbeat.schedules set enabled = false where id = ${id}`
      const kept = (await row(id)).last_run_at?.getTime() === due.getTime()
      await sql`update rowbeat.schedules set enabled = true where id = ${id}`
      const { next_run_at, anchor_at } = await armed(id)
      const onGrid = (next_run_at!.getTime() - anchor_at.getTime()) % HOUR_MS === 0
      return `last_run_at ${kept ? 'kept' : 'LOST'}; not due, next on ${onGrid ? 'the grid of before' : 'ANOTHER GRID'}; runs ${(await firings(id)).length}`
    },
    'missed intervals: burst or single': async () => {
      const anchor = new Date(Math.floor(Date.now() / 1000) * 1000 - 5 * HOUR_MS - 30_000).toISOString()
      const id = await put({ schedule: interval(1, 'minutes'), anchor_at: anchor })
      await rewind(id, anchor)
      await fired(id)
      const [missed] = (await firings(id)).filter(({ state }) => state === 'missed')
      return `5 h overdue 1-minute interval: runs ${(await fired(id)).length}; the ${missed!.count} before it are one row of firings (catch_up last, the default)`
    },
    'DST fall-back, last_run_at inside the repeated hour': async () => {
      const id = await put({
        schedule: crontab({ minute: '30', timezone: 'America/New_York' }),
        catch_up: 'all',
        start_at: '2024-11-03T06:10:00Z',
      })
      await rewind(id, '2024-11-03T06:30:00Z')
      await fired(id, 5)
      await sql`update rowbeat.schedules set enabled = false where id = ${id}`
      const sent = dues(await firings(id)).filter((at) => at < '2024-11-03T07:00')
      return `crontab 30 * in New_York, from 01:10 EST (second pass): runs in 50 min = ${sent.length}`
    },
  }
}

function starts({ put, armed, sql }: World): Probes {
  const start = async (schedule: object): Promise<{ startMs: number; nextMs: number }> => {
    const start_at = new Date(Date.now() + 120_000)
    const id = await put({ schedule, start_at: start_at.toISOString() })
    return { startMs: start_at.getTime(), nextMs: (await armed(id)).next_run_at!.getTime() }
  }
  return {
    'start_time 120 s ahead, interval': async () => {
      const { startMs, nextMs } = await start(hours)
      return `first instant ${nextMs - startMs} s after start_at`
    },
    'start_time 120 s ahead, crontab every minute': async () => {
      const { startMs, nextMs } = await start(crontab({}))
      const first = Math.ceil(startMs / MINUTE_MS) * MINUTE_MS
      return nextMs === first
        ? 'first instant: the first whole minute from start_at on'
        : `${nextMs} IS NOT ${first}`
    },
    'first run of a new interval task': async () => {
      const id = await put({ schedule: hours })
      const { next_run_at, anchor_at } = await armed(id)
      await sql`delete from rowbeat.schedules`
      return `waits one full interval, ${(next_run_at!.getTime() - anchor_at.getTime()) / 1000} s; anchor_at or "run now" say otherwise`
    },
  }
}

function restarts(t: Owner, { url, sql }: World): Probes {
  return {
    'beat_schedule entry in code vs a row edited in admin': async () => {
      const code = [declared('from code', everyHours('1 minute'), 'from.code', { x: 1 })]
      const one = await startBeat(t, url, { schedules: code })
      await one.beat.stop()
      await sql`
        update rowbeat.schedules set task = 'from.admin', input = '{"x": 2}', queue = 'high', enabled = false, schedule = ${sql.json(hours)} where name = 'from code'`
      const two = await startBeat(t, url, { schedules: code })
      await two.beat.stop()
      const [row] = await sql`select * from rowbeat.schedules where name = 'from code'`
      const { task, input, queue, schedule, enabled } = row!
      return `after beat restart: task=${task} input=${JSON.stringify(input)} queue=${queue} interval=${schedule.every} ${schedule.period} enabled=${enabled}: the edit stays`
    },
  }
}
