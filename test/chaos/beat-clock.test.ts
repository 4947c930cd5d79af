/**
 * A beat whose machine has the wrong time, from the start or suddenly, fires what is due by the database's clock, once, and
 * nothing before its time. libfaketime tells the lie, an hour ahead or behind, with and without the monotonic clock; that
 * one never jumps in nature. Where it goes back an hour, every timer of the process waits that hour, and nothing in it
 * can know: the other beat goes on alone, and nothing more is asked of the stalled one than that it does no harm.
 */
import t, { type Test } from 'tap'
import { makeTicking, reckon, startBeatProcess } from '../helpers/beat.ts'
import { setup, type Bundle } from '../helpers/bundle.ts'
import { fakeClock, findFaketime } from '../helpers/faketime.ts'
import { until } from '../helpers/wait.ts'

type Started = Awaited<ReturnType<typeof startBeatProcess>>

const HOUR = 3600
const library = findFaketime()

if (!library) {
  t.plan(0, 'libfaketime is not installed: test/chaos/beat-clock.test.ts was left out')
} else {
  t.jobs = 3
  for (const monotonic of [false, true]) {
    t.test(`one of two beats jumps by an hour, ${describe(monotonic)}`, { buffered: true }, async (t) => {
      const world = await setup(t)
      const clock = fakeClock(t, library, { monotonic })
      const [liar, honest] = await Promise.all([
        startBeatProcess(t, world.url, { name: 'liar', env: clock.env }),
        startBeatProcess(t, world.url, { name: 'honest' }),
      ])
      await makeSchedules(world)
      await goOn(world)
      // Forward at the end: what a process began to wait for while its monotonic clock was ahead, it waits for an hour otherwise.
      for (const seconds of [HOUR, 0, -HOUR, 0, HOUR]) {
        clock.set(seconds)
        await goOn(world)
      }
      if (!monotonic) await goOnAlone(world, liar, honest)
      await judge(t, world)
      t.notMatch(liar.output(), /unhandled/)
    })
  }

  t.test('the only beat jumps by an hour and goes on', { buffered: true }, async (t) => {
    const world = await setup(t)
    const clock = fakeClock(t, library)
    await startBeatProcess(t, world.url, { name: 'liar', env: clock.env })
    await makeSchedules(world)
    await goOn(world)
    for (const seconds of [HOUR, -HOUR, 0]) {
      clock.set(seconds)
      await goOn(world)
      await until('its skew is told', async () => Math.abs((await skewOf(world)) - seconds) < 5)
    }
    await judge(t, world)
  })

  for (const seconds of [HOUR, -HOUR]) {
    const where = seconds > 0 ? 'ahead' : 'behind'
    t.test(`a beat that starts an hour ${where} fires in time`, { buffered: true }, async (t) => {
      const world = await setup(t)
      const clock = fakeClock(t, library, { seconds, monotonic: true })
      await startBeatProcess(t, world.url, { name: 'liar', env: clock.env })
      await makeSchedules(world)
      for (let times = 0; times < 3; times++) await goOn(world)
      await until('its skew is told', async () => Math.abs((await skewOf(world)) - seconds) < 5)
      await judge(t, world)
    })
  }
}

function describe(monotonic: boolean): string {
  return monotonic ? 'and its monotonic clock with it' : 'by the clock on the wall'
}

/** Some that fire all the time, and some that would fire if somebody believed the wrong clock. */
async function makeSchedules({ sql }: Bundle): Promise<void> {
  const often = [200, 250, 333, 500, 700].map((everyMs) => ({ name: `each ${everyMs} ms`, everyMs }))
  const later = [20, 40, 59].map((minutes) => ({ name: `in ${minutes} min`, everyMs: minutes * 60_000 }))
  await makeTicking(sql, [...often, ...later])
}

/** Each that fires often has fired three times more. */
async function goOn({ sql }: Bundle): Promise<void> {
  const look = async (): Promise<Map<string, number>> => {
    const rows = await sql<{ name: string; n: number }[]>`
      select name, firings_total::int as n from rowbeat.schedules where name like 'each %'`
    return new Map(rows.map(({ name, n }) => [name, n]))
  }
  const before = await look()
  await until('all go on', async () => [...(await look())].every(([name, n]) => n >= before.get(name)! + 3))
}

/** The one that was lied to, once the other is gone. Who wins an instant is chance, and a process under libfaketime is slow. */
async function goOnAlone({ sql }: Bundle, liar: Started, honest: Started): Promise<void> {
  const before = countTicks(liar.stdout())
  honest.kill('SIGKILL')
  await sql`update rowbeat.schedules set description = 'edited' where name = 'in 59 min'`
  await until('the one that was lied to fires again', () => countTicks(liar.stdout()) > before, {
    timeout: 60_000,
  })
}

async function skewOf({ sql }: Bundle): Promise<number> {
  const [row] = await sql<{ seconds: number }[]>`
    select clock_skew_ms / 1000 as seconds from rowbeat.workers where name = 'liar'`
  return row!.seconds
}

async function judge(t: Test, { sql }: Bundle): Promise<void> {
  const [row] = await sql<{ ms: number }[]>`select (extract(epoch from now()) * 1000 - 1000)::float8 as ms`
  const account = await reckon(sql, row!.ms)
  const late = account.instants.map(({ latenessMs }) => latenessMs ?? 0).sort((a, b) => a - b)
  t.ok(account.expected >= 30, `${account.expected} instants, at most ${Math.round(late.at(-1)!)} ms late`)
  t.strictSame(account.missed, [], 'none missed')
  t.strictSame(account.early, [], 'none early')
  t.equal(account.doubled, 0, 'none twice')
  t.strictSame(account.unexplained, [])
  t.ok(late.at(-1)! < 30_000, `${late.at(-1)} ms late at most: the machine's doing, and not the hour's`)
}

const countTicks = (said: string): number => said.match(/^fired/gm)?.length ?? 0
