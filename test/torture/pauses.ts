/**
 * A queue with 100,000 runs that wait is paused and resumed in the middle of its drain. After a pause nothing starts but what a
 * worker was at that moment starting; after a resume the order is what it was, also for what was enqueued meanwhile; and
 * at the end each run has one result.
 */
import { task, type Rowbeat } from '../../src/index.ts'
import { countInversions, logClaims, readClaims, type Enqueued } from '../helpers/claims.ts'
import { until } from '../helpers/wait.ts'
import { startWorker } from '../helpers/worker.ts'
import { pauseFor } from './crew.ts'
import { emptyTally, type Scenario, type Tally, type Torture } from './scenario.ts'

const RUNS = 100_000
/** Of these the order is looked at: one lane that holds one run ahead takes a while. */
const ORDERED = 20_000
const STOPPED_MS = 1000

interface Field {
  starts: { id: string; at: number }[]
  enqueued: Enqueued[]
  note: ReturnType<typeof task>
  add(rowbeat: Rowbeat, count: number, rank: () => number): Promise<void>
}

function openField(): Field {
  const starts: Field['starts'] = []
  const enqueued: Enqueued[] = []
  const note = task('test.note', {}, (_: object, { run }) => {
    starts.push({ id: run.id, at: performance.now() })
  })
  return {
    starts,
    enqueued,
    note,
    async add(rowbeat, count, rank) {
      for (let left = count; left > 0; left -= 1000) {
        const items = Array.from({ length: Math.min(left, 1000) }, () => ({
          task: note,
          input: {},
          priority: rank(),
        }))
        const handles = await rowbeat.enqueueMany(items)
        const ackedAt = Date.now()
        for (const [i, { id }] of handles.entries())
          enqueued.push({ id, priority: items[i]!.priority, ackedAt })
      }
    },
  }
}

/** What was enqueued and what became of it. */
async function account({ world: { admin } }: Torture, { enqueued, starts }: Field): Promise<Tally> {
  const tally: Tally = { ...emptyTally(), attempts: enqueued.length, acked: enqueued.length }
  const ids = new Set(enqueued.map(({ id }) => id))
  const ended = new Set<string>()
  for (const { id, state } of await admin`select id::text, state from rowbeat.results`) {
    if (!ids.has(id) || state !== 'SUCCESS') tally.unexpected++
    else if (ended.has(id)) tally.duplicated++
    else tally.ok++
    ended.add(id)
  }
  tally.duplicated += starts.length - new Set(starts.map(({ id }) => id)).size
  const [left] =
    await admin`select (select count(*) from rowbeat_queue._private_jobs)::int + (select count(*) from rowbeat.parked)::int as n`
  tally.stuck = left!.n
  tally.lost = ids.size - ended.size - tally.stuck
  return tally
}

const drained = (torture: Torture, { enqueued, starts }: Field): Promise<unknown> =>
  until('all runs started', () => starts.length >= enqueued.length, { timeout: 300_000, every: 100 })
    .then(() =>
      until(
        'all ended',
        async () =>
          (await torture.world.admin`select count(*)::int as n from rowbeat.results`)[0]!.n >=
          enqueued.length,
      ),
    )
    .catch((error: Error) => torture.log(error.message))

export const pauses: Scenario = {
  says: '100,000 wait, paused and resumed in the middle of the drain: starts stop <= 1 s, order restored, each once',
  count: 10,
  async run(torture: Torture): Promise<Tally> {
    const { world, count, random, log } = torture
    const { url, admin, sql } = world
    const field = openField()
    const { starts, enqueued, note, add } = field
    const [first, second] = await Promise.all(
      [1, 2].map(() => startWorker(torture, url, { tasks: [note], queues: { default: 20 } })),
    )
    await sql`select rowbeat.pause_queue('default')`
    await add(first!.rowbeat, RUNS, () => Math.floor(random() * 10))
    const late: number[] = []
    let afterwards = 0
    for (let times = 0; times < count; times++) {
      await sql`select rowbeat.resume_queue('default')`
      const goal = starts.length + 1000
      await until('it goes on', () => starts.length > goal, { timeout: 30_000, every: 5 })
      await pauseFor(random() * 200)
      await sql`select rowbeat.pause_queue('default', 'again')`
      const pausedAt = performance.now()
      await pauseFor(STOPPED_MS)
      const stood = starts.length
      late.push(Math.max(0, starts.at(-1)!.at - pausedAt))
      await pauseFor(500 + random() * 1000)
      afterwards += starts.length - stood
    }
    const drainedByThen = starts.length
    log(
      `${count} pauses with ${RUNS - drainedByThen} of ${RUNS} still waiting at the last: last start ${late.map((ms) => ms.toFixed(0)).join(' ')} ms after the pause, ${afterwards} starts while paused`,
    )
    await Promise.all([first!.worker.stop(), second!.worker.stop()])
    const ran = new Set(starts.map(({ id }) => id))
    const waiting = enqueued.filter(({ id }) => !ran.has(id))
    await logClaims(admin)
    const lane = await startWorker(torture, url, { tasks: [note], queues: { default: 1 }, prefetch: 1 })
    const [{ now }] = (await sql`select extract(epoch from clock_timestamp())::float8 as now`) as unknown as [
      { now: number },
    ]
    await sql`select rowbeat.resume_queue('default')`
    const resumedAt = performance.now()
    await until('the first comes', () => starts.length > drainedByThen, { every: 1 })
    const firstMs = performance.now() - resumedAt
    while (starts.length < drainedByThen + ORDERED && starts.length < enqueued.length) {
      const seen = enqueued.length
      await add(lane.rowbeat, 20, () => Math.floor(random() * 14) - 4)
      waiting.push(...enqueued.slice(seen))
      await pauseFor(100)
    }
    const inversions = countInversions(waiting, await readClaims(admin))
    const seconds = (Date.now() / 1000 - now).toFixed(1)
    log(
      `resumed: the first start after ${firstMs.toFixed(0)} ms; of ${starts.length - drainedByThen} claims in ${seconds} s, inversions of priority ${inversions.priority}, of age ${inversions.age}`,
    )
    await lane.worker.stop()
    await startWorker(torture, url, { tasks: [note], queues: { default: 20 } })
    await drained(torture, field)
    const tally = await account(torture, field)
    const slow = late.filter((ms) => ms > STOPPED_MS).length
    return {
      ...tally,
      faults: count,
      unexpected: tally.unexpected + slow + afterwards + inversions.priority + inversions.age,
    }
  },
}

export const priorities: Scenario = {
  says: 'runs of random priority enqueued while one lane with prefetch 1 drains: none is claimed while a better one waits',
  count: 20_000,
  async run(torture: Torture): Promise<Tally> {
    const { world, count, random, log } = torture
    const field = openField()
    const { starts, enqueued, note, add } = field
    await logClaims(world.admin)
    await world.sql`update rowbeat.queues set hot_limit = 1000`
    const lane = await startWorker(torture, world.url, { tasks: [note], queues: { default: 1 }, prefetch: 1 })
    const rank = (): number => Math.floor(random() * 200) - 100
    while (enqueued.length < count) {
      // A backlog that comes and goes: below the hot limit, and several times above it.
      await add(
        lane.rowbeat,
        Math.min(count - enqueued.length, random() < 0.1 ? 1500 : 1 + Math.floor(random() * 60)),
        rank,
      )
      await until('there is room', () => enqueued.length - starts.length < 4000, {
        timeout: 60_000,
        every: 5,
      })
      await pauseFor(random() * 20)
    }
    await drained(torture, field)
    const claims = await readClaims(world.admin)
    const inversions = countInversions(enqueued, claims)
    log(`${claims.length} claims, inversions of priority ${inversions.priority}, of age ${inversions.age}`)
    const tally = await account(torture, field)
    return { ...tally, unexpected: tally.unexpected + inversions.priority + inversions.age }
  },
}
