/**
 * Runs that end their process, among runs that do no harm, on `rowbeat worker --processes 2`. First one of each kind, each
 * among others; then several at once. Every poison ends as worker_lost after three deaths; every other run succeeds, and
 * none of its tries is counted because a neighbour died.
 */
import { createRowbeat } from '../../src/index.ts'
import { good, poison, type Poison } from '../fixtures/poison-tasks.ts'
import { startProcess, type Process } from '../helpers/process.ts'
import { until } from '../helpers/wait.ts'
import { emptyTally, type Scenario, type Tally, type Torture } from './scenario.ts'

const GOOD = 1000
const KINDS: readonly Poison[] = ['abort', 'memory', 'exit']

interface Mix {
  poisons: readonly Poison[]
  good: number
}

/** A parent with two workers whose heap is small, so that memory runs out in a second and not in a minute. */
export async function startParent(
  owner: { teardown(handler: () => unknown): unknown },
  url: string,
  ...words: string[]
): Promise<Process> {
  const parent = startProcess(owner, 'bin/rowbeat.js', {
    args: ['worker', '--processes', '2', '-Q', 'default:10', '--json', ...words],
    env: {
      DATABASE_URL: url,
      ROWBEAT_TASKS: 'test/fixtures/poison-tasks.ts',
      NODE_OPTIONS: '--max-old-space-size=128',
    },
  })
  await parent.line(/^}$/, 30_000)
  // Its children must not outlive a test that failed: a parent that is killed cannot stop them at once.
  owner.teardown(async () => {
    parent.kill('SIGTERM')
    await parent.ended(20_000).catch(() => {})
  })
  return parent
}

/** Enqueues the mix in random order, waits for its end, and counts up. */
export async function poisonWorkers({ world, random, log, teardown }: Torture, mix: Mix): Promise<Tally> {
  const rowbeat = createRowbeat({ databaseUrl: world.url, tasks: [good, poison] })
  teardown(() => rowbeat.close())
  const items = [
    ...mix.poisons.map((how) => ({ at: random(), task: poison, input: { how } })),
    ...Array.from({ length: mix.good }, () => ({ at: random(), task: good, input: { ms: 20 } })),
  ].toSorted((a, b) => a.at - b.at)
  const since = performance.now()
  const handles = await rowbeat.enqueueMany(items.map(({ task, input }) => ({ task, input })) as never)
  const ids = handles.map(({ id }) => id)
  const seconds = (): string => ((performance.now() - since) / 1000).toFixed(1)
  const ended = async (): Promise<number> => {
    const [row] = await world.sql`select count(*)::int as n from rowbeat.results where id = any (${ids})`
    return row!.n
  }
  await until('every run has ended', async () => (await ended()) === ids.length, {
    timeout: 180_000,
    every: 100,
  }).catch((error: Error) => log(error.message))
  const tally = { ...emptyTally(), faults: mix.poisons.length, attempts: ids.length, acked: ids.length }
  const rows = await world.sql`
    select task, state, reason, attempt, redeliveries, count(*)::int as n from rowbeat.results where id = any (${ids}) group by 1, 2, 3, 4, 5`
  let hit = 0
  for (const { task, state, reason, attempt, redeliveries, n } of rows) {
    const isRight =
      task === good.name
        ? state === 'SUCCESS' && attempt === 1
        : state === 'FAILURE' && reason === 'worker_lost' && redeliveries === 3
    if (isRight) tally.ok += n
    else tally.unexpected += n
    if (task === good.name && redeliveries > 0) hit += n
    if (!isRight) log(`${n} x ${task} ${state} ${reason} attempt=${attempt} redeliveries=${redeliveries}`)
  }
  tally.stuck = ids.length - tally.ok - tally.unexpected
  log(
    `${mix.good} good runs and ${mix.poisons.join(', ')}: ${seconds()} s, ${hit} good runs were beside one and ran again`,
  )
  return tally
}

export const poisons: Scenario = {
  says: 'runs that abort, exhaust memory or exit, one by one and several at once: they end as worker_lost, all others succeed',
  count: 5,
  async run(torture) {
    const parent = await startParent(torture, torture.world.url)
    const several = Array.from({ length: torture.count }, (_, i) => KINDS[i % KINDS.length]!)
    const tallies: Tally[] = []
    for (const kind of KINDS) tallies.push(await poisonWorkers(torture, { poisons: [kind], good: GOOD }))
    tallies.push(await poisonWorkers(torture, { poisons: several, good: GOOD }))
    const total = emptyTally()
    for (const tally of tallies)
      for (const key of Object.keys(total) as (keyof Tally)[]) total[key] += tally[key]
    parent.kill('SIGTERM')
    const { code } = await parent.ended(30_000)
    if (code !== 0) total.unexpected++
    return total
  },
}
