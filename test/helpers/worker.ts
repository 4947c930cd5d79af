/**
 * Workers for tests: in this process, with what their events said kept in lists; or in a process of their own.
 */
import { createRowbeat, createWorker } from '../../src/index.ts'
import type { Rowbeat, Worker, WorkerOptions } from '../../src/index.ts'
import type { RunEventMap } from '../../src/worker/events.ts'
import { startProcess, type Process } from './process.ts'
import { entry, scripted } from './tasks.ts'

interface Owner {
  teardown(handler: () => unknown): unknown
}

type Said<Name extends keyof RunEventMap> = RunEventMap[Name][0]

export interface Heard {
  finished: Said<'run:finished'>[]
  refused: Said<'run:refused'>[]
  trouble: Said<'worker:trouble'>[]
  reclaimed: number
  restarted: number
  declaredDead: number
}

export interface TestWorker {
  worker: Worker
  rowbeat: Rowbeat
  heard: Heard
}

/** A started worker that knows `scripted` and `entry`, stopped without grace at teardown. */
export async function startWorker(
  t: Owner,
  url: string,
  options: Partial<WorkerOptions> = {},
): Promise<TestWorker> {
  const tasks = options.tasks ?? [scripted, entry]
  const worker = createWorker({ databaseUrl: url, queues: { default: 10 }, ...options, tasks })
  const rowbeat = createRowbeat({ databaseUrl: url, tasks })
  const heard = listenTo(worker)
  t.teardown(async () => {
    await rowbeat.close()
    await worker.stop({ grace: 0 })
  })
  await worker.start()
  return { worker, rowbeat, heard }
}

function listenTo({ events }: Worker): Heard {
  const heard: Heard = { finished: [], refused: [], trouble: [], reclaimed: 0, restarted: 0, declaredDead: 0 }
  events.on('run:finished', (said) => heard.finished.push(said))
  events.on('run:refused', (said) => heard.refused.push(said))
  events.on('worker:trouble', (said) => heard.trouble.push(said))
  events.on('worker:reclaimed', ({ runs }) => (heard.reclaimed += runs))
  events.on('lane:restarted', () => heard.restarted++)
  events.on('worker:declared-dead', () => heard.declaredDead++)
  return heard
}

/** A worker in a process of its own that has said `ready`. */
export async function startWorkerProcess(
  t: Owner,
  url: string,
  options: Record<string, unknown> = {},
): Promise<Process> {
  const args = [JSON.stringify({ databaseUrl: url, queues: { default: 10 }, ...options })]
  const child = startProcess(t, 'test/fixtures/worker-process.ts', { args })
  await child.line(/^ready$/, 30_000)
  return child
}
