/**
 * The panel on a database of ten million finished and a million waiting runs: what each page waits for the server, what twenty
 * who watch cost the database, how soon they see what happens, and what the process weighs that serves it.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import postgres from 'postgres'
import { createRollUp } from '../../src/dispatcher/roll-up.ts'
import { toQueryable } from '../../src/db/handle.ts'
import { createRowbeat, createWorker, task } from '../../src/index.ts'
import { openLoop, until } from '../load.ts'
import { TICKS_PER_SECOND, ticksOfTrees } from '../neighbours.ts'
import { listPages, type Page } from '../panel-pages.ts'
import { fillPanel, SIZES } from '../panel-rows.ts'
import { signIn, type Viewer } from '../panel-viewer.ts'
import type { Service } from '../peers/service.ts'
import { sleep, type Metrics, type Scenario } from '../scenario.ts'
import { quantile } from '../statistics.ts'

const ROUNDS = 21
const VIEWERS = 20
/** The overview asks for its figures anew. */
const LOOK_MS = 10_000
const WINDOW_MS = 20_000
const WINDOWS = 3
const PER_SECOND = 200
const SEEN = 40

export const PAGES = [
  'Overview',
  'Problems',
  'Runs',
  'Runs, filtered',
  'Runs, of a rare kind',
  'Run',
  'Failures',
  'Schedules',
  'Schedule',
  'Timeline',
  'Firings',
  'Queues',
  'Queue',
  'Workers',
  'Worker',
  'Audit',
  'Keys, users',
]

const times = {
  started: new Map<string, number>(),
  progress: new Map<string, number>(),
  finished: new Map<string, number>(),
}
type Moment = keyof typeof times

const shown = task('bench.shown', {}, async (_input: object, context) => {
  times.started.set(context.run.id, performance.now())
  await sleep(700)
  times.progress.set(context.run.id, performance.now())
  await context.progress(1, 2)
  await sleep(700)
  times.finished.set(context.run.id, performance.now())
  return null
})
const busy = task('bench.busy', {}, async () => null)

async function openPages(pages: Page[], viewer: Viewer): Promise<Metrics> {
  const took = new Map(pages.map(({ name }) => [name, [] as number[]]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, open } of pages) {
      const from = performance.now()
      for (const group of open(round)) await Promise.all(group.map((path) => viewer.ask(path)))
      took.get(name)!.push(performance.now() - from)
    }
    await sleep(300)
  }
  return Object.fromEntries(
    [...took].flatMap(([name, list]) => [
      [`${name}.p50`, quantile(list, 0.5)],
      [`${name}.p95`, quantile(list, 0.95)],
      [`${name}.max`, Math.max(...list)],
    ]),
  )
}

/** Twenty who have the overview open; answers how to close them. */
function openViewers(viewer: Viewer): () => void {
  const stops = Array.from({ length: VIEWERS }, () => {
    const stop = viewer.watch(() => {})
    const look = setInterval(() => {
      for (const path of ['/v1/stats?period=1h&by=queue', '/v1/problems']) viewer.ask(path).catch(() => {})
    }, LOOK_MS)
    return () => {
      clearInterval(look)
      stop()
    }
  })
  return () => stops.forEach((stop) => stop())
}

/** From what happens in a handler to the event at a viewer. */
async function seeEvents(viewer: Viewer, enqueue: () => Promise<{ id: string }>): Promise<Metrics> {
  const seen: Record<Moment, number[]> = { started: [], progress: [], finished: [] }
  const told = new Set<string>()
  const note = (moment: Moment, id: string): void => {
    const at = times[moment].get(id)
    if (at === undefined || told.has(`${moment} ${id}`)) return
    told.add(`${moment} ${id}`)
    seen[moment].push(performance.now() - at)
  }
  const stop = viewer.watch((event, { items }) => {
    if (event !== 'runs') return
    for (const { id, state, progress } of items) {
      if (state === 'STARTED' || state === 'PROGRESS') note('started', id)
      if (progress) note('progress', id)
      if (state === 'SUCCESS') note('finished', id)
    }
  })
  await sleep(1500)
  for (let n = 0; n < SEEN; n++) {
    await enqueue()
    await sleep(150 + 100 * Math.random())
  }
  await until('all have ended', () => times.finished.size === SEEN)
  await sleep(1500)
  stop()
  return {
    ...Object.fromEntries(
      Object.entries(seen).map(([moment, list]) => [`${moment}Seen`, quantile(list, 0.95)]),
    ),
    unseen: 3 * SEEN - told.size,
  }
}

function rssOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}

/** A service without the panel, after it has answered what one with it has. */
async function weighPlain(databaseUrl: string, pages: Page[]): Promise<number> {
  const child = fork(fileURLToPath(new URL('../service.ts', import.meta.url)), ['rowbeat', databaseUrl])
  const [{ port, key }] = (await once(child, 'message')) as [{ port: number; key: string }]
  for (let round = 0; round < 3; round++)
    for (const path of pages.flatMap(({ open }) => open(round).flat()))
      await (
        await fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization: `Bearer ${key}` } })
      ).arrayBuffer()
  await sleep(3000)
  const weight = rssOf(child.pid!)
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
  return weight
}

export async function measurePanel(
  { address, process: server }: Pick<Service, 'address' | 'process'>,
  databaseUrl: string,
): Promise<Metrics> {
  const sql = postgres(databaseUrl, { max: 2, onnotice: () => {} })
  const rollUp = createRollUp()
  while (await rollUp(toQueryable(sql), 0, 1000));
  const viewer = await signIn(sql, address)
  const pages = await listPages(viewer.ask)
  const opened = await openPages(pages, viewer)
  const memory = { withPanel: rssOf(server.pid!), without: await weighPlain(databaseUrl, pages) }

  const rowbeat = createRowbeat({ databaseUrl, tasks: [shown, busy] })
  const worker = createWorker({ databaseUrl, tasks: [shown, busy], queues: { live: 20 }, concurrency: 20 })
  await worker.start()
  const [row] = await sql`select pg_backend_pid() as pid`
  const postmaster = Number(/PPid:\s+(\d+)/.exec(readFileSync(`/proc/${row!['pid']}/status`, 'utf8'))![1])
  let isOver = false
  const load = (async () => {
    while (!isOver)
      await openLoop(
        PER_SECOND,
        PER_SECOND,
        () => void rowbeat.enqueue(busy, {}, { queue: 'live' }).catch(() => {}),
      )
  })()
  const spend = async (): Promise<number> => {
    await sleep(3000)
    const from = ticksOfTrees([postmaster])
    await sleep(WINDOW_MS)
    return (ticksOfTrees([postmaster]) - from) / TICKS_PER_SECOND / (WINDOW_MS / 1000)
  }
  const [alone, watched]: [number[], number[]] = [[], []]
  for (let n = 0; n < WINDOWS; n++) {
    alone.push(await spend())
    const close = openViewers(viewer)
    watched.push(await spend())
    close()
  }
  isOver = true
  await load
  const close = openViewers(viewer)
  const events = await seeEvents(viewer, () => rowbeat.enqueue(shown, {}, { queue: 'live' }))
  close()
  await worker.stop({ grace: '5s' })
  await rowbeat.close()
  await sql.end({ timeout: 1 })
  const [before, after] = [quantile(alone, 0.5), quantile(watched, 0.5)]
  return {
    ...opened,
    slowest: Math.max(...PAGES.map((name) => opened[`${name}.p95`]!)),
    storeAlone: 100 * before,
    storeMore: 100 * (after - before),
    ...events,
    ...memory,
  }
}

export const panel: Scenario = {
  name: 'panel',
  title: 'The panel on a large store',
  about:
    `${SIZES.finished.toLocaleString('en')} finished runs of 30 days (four million of the last 24 hours), ${SIZES.waiting.toLocaleString('en')} that wait, ` +
    `${SIZES.schedules.toLocaleString('en')} schedules with ${SIZES.firings.toLocaleString('en')} firings, ${SIZES.audit.toLocaleString('en')} rows of the audit log. Each page is opened ` +
    `${ROUNDS} times, each time with another filter or period: from its first request to the last answer, over HTTP with a session. Then a worker runs ${PER_SECOND} tasks a ` +
    `second, and ${VIEWERS} people have the overview open or have not: what PostgreSQL spends, in percent of a core. Then 40 runs are watched: from the handler to the ` +
    'event at a viewer. Memory is that of the process that serves all this, and of one without the panel that answered the same.',
  columns: [
    { metric: 'slowest', title: 'slowest page p95 ms', format: 'ms' },
    { metric: 'storeAlone', title: 'PostgreSQL unwatched, % of a core', format: 'ms' },
    { metric: 'storeMore', title: `more for ${VIEWERS} viewers`, format: 'ms' },
    { metric: 'finishedSeen', title: 'finished seen p95 ms', format: 'ms' },
    { metric: 'progressSeen', title: 'progress p95 ms', format: 'ms' },
    { metric: 'startedSeen', title: 'started p95 ms', format: 'ms' },
    { metric: 'withPanel', title: 'MB', format: 'mb' },
    { metric: 'without', title: 'MB without panel', format: 'mb' },
  ],
  rows: {
    title: 'page',
    names: PAGES,
    columns: [
      { metric: 'p50', title: 'p50 ms', format: 'ms' },
      { metric: 'p95', title: 'p95 ms', format: 'ms' },
      { metric: 'max', title: 'longest ms', format: 'ms' },
    ],
  },
  roundsMax: 1,
  contestants: [{ key: 'rowbeat', label: 'Rowbeat', peer: 'service', options: { with: 'panel' }, group: '' }],

  async seed(_peer, _params, { databaseUrl }) {
    const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
    await fillPanel(sql)
    await sql.end()
  },
  async measure(peer, _params, { databaseUrl }) {
    return await measurePanel(peer as Service, databaseUrl)
  },
}
