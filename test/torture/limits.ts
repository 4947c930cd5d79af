/**
 * Threads in `while (true)`, one after the other, each to be killed at its time limit, beside short runs in the worker's own
 * thread. It shows three figures: how far from its limit each is killed (200 ms at most), what that does to the
 * latency of the neighbours (p99 at most twice that of the quiet half, which comes first), and the longest time between two
 * signs of life of the worker (under 3 s). A kill, a latency or a gap beyond its bound counts as unexpected.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { task } from '../../src/index.ts'
import { thread } from '../fixtures/isolated-tasks.ts'
import { startWorker } from '../helpers/worker.ts'
import { emptyTally, type Scenario, type Tally, type Torture } from './scenario.ts'

const LIMIT_MS = 1000
const APART_MS = 200
/** Between two starts of a neighbour. */
const EVERY_MS = 20
/** What two halves of a machine that is shared differ by anyway. */
const NOISE_MS = 10

export interface Figures {
  readonly tally: Tally
  readonly offMs: number
  readonly quietP99: number
  readonly besideP99: number
  readonly gapMs: number
}

export async function spinBesideNeighbours(torture: Torture, limitMs = LIMIT_MS): Promise<Figures> {
  const { world, count, log } = torture
  const seen = new Map<string, number>()
  const neighbour = task(
    'test.neighbour',
    {},
    (_: object, { run }) => void seen.set(run.id, performance.now()),
  )
  const { rowbeat } = await startWorker(torture, world.url, {
    tasks: [thread, neighbour],
    queues: { default: 10 },
    threads: 1,
  })
  await (await rowbeat.enqueue(thread, { how: 'echo' })).result()
  const tally = { ...emptyTally(), faults: count }

  /** Starts neighbours until `until` is over; answers the p99 of the time from enqueue to handler. */
  const measure = async (until: Promise<unknown>): Promise<number> => {
    const went = new Map<string, number>()
    let over = false
    void until.finally(() => (over = true))
    const runs = []
    while (!over) {
      const at = performance.now()
      const run = await rowbeat.enqueue(neighbour, {})
      went.set(run.id, at)
      runs.push(run)
      await pause(Math.max(0, EVERY_MS - (performance.now() - at)))
    }
    await Promise.all(runs.map((run) => run.result({ timeout: '30s' })))
    tally.attempts += runs.length
    tally.acked += runs.length
    tally.ok += runs.filter((run) => seen.has(run.id)).length
    const took = [...went].map(([id, at]) => (seen.get(id) ?? Infinity) - at).sort((a, b) => a - b)
    return took[Math.floor(took.length * 0.99)]!
  }
  const spinAll = async (): Promise<number> => {
    let worst = 0
    for (let i = 0; i < count; i++) {
      const run = await rowbeat.enqueue(
        thread,
        { how: 'spin' },
        { timeLimit: limitMs / 1000, attemptsMax: 1 },
      )
      await run.result({ timeout: '30s' }).catch(() => {})
      const { reason, startedAt, finishedAt } = (await run.get())!
      const took = Date.parse(finishedAt!) - Date.parse(startedAt!)
      worst = Math.max(worst, Math.abs(took - limitMs))
      if (reason !== 'time_limit' || Math.abs(took - limitMs) > APART_MS) tally.unexpected++
    }
    return worst
  }
  const heart = watchHeart(world)
  await measure(pause(500))
  const quietP99 = await measure(pause(count * limitMs))
  const spinning = spinAll()
  const besideP99 = await measure(spinning)
  const [offMs, gapMs] = [await spinning, await heart.stop()]
  if (besideP99 > 2 * Math.max(quietP99, NOISE_MS)) tally.unexpected++
  if (gapMs > 3000) tally.unexpected++
  tally.lost = tally.acked - tally.ok
  log(
    `killed at most ${offMs.toFixed(0)} ms from the limit of ${limitMs} ms; neighbours p99 ${quietP99.toFixed(1)} ms, beside ${besideP99.toFixed(1)} ms; ` +
      `${(gapMs / 1000).toFixed(1)} s between two signs of life at most`,
  )
  return { tally, offMs, quietP99, besideP99, gapMs }
}

/** The longest time, by the database's clock, that the worker was not heard of. */
function watchHeart({ sql }: Torture['world']): { stop(): Promise<number> } {
  const state = { over: false, worstMs: 0 }
  const look = async (): Promise<void> => {
    while (!state.over) {
      const [row] =
        await sql`select 1000 * extract(epoch from clock_timestamp() - min(seen_at))::float8 as ms from rowbeat.workers`
      state.worstMs = Math.max(state.worstMs, Number(row!.ms))
      await pause(100)
    }
  }
  const looking = look()
  return {
    async stop() {
      state.over = true
      await looking
      return state.worstMs
    },
  }
}

export const limits: Scenario = {
  says: 'threads in while (true) are killed at their time limit, and the neighbours notice nothing',
  count: 25,
  run: async (torture) => (await spinBesideNeighbours(torture)).tally,
}
