/**
 * `rowbeat worker`: runs tasks until it is stopped. On SIGTERM it claims no more, lets what runs end within the grace,
 * hands back the rest uncounted and exits 0; a second signal hands back at once.
 *
 * Its memory: a short-lived object per run makes Node grow its young generation to 64 MB, which is then never given
 * back. Told not to grow it, a worker stays where it began, at no cost that could be measured in runs a second.
 */
import { setFlagsFromString } from 'node:v8'
import { ConfigError } from '../errors.ts'
import { loadTasks } from './modules.ts'
import { serve, type ServeFlags, type Service, type Setting } from './serve.ts'

export interface WorkerFlags extends ServeFlags {
  prefetch?: number
  name?: string
}

export async function work(flags: WorkerFlags): Promise<number> {
  setFlagsFromString('--semi-space-growth-factor=1')
  return await serve('worker', flags, (setting) => beginWork(setting, flags))
}

async function beginWork({ config, tasks, log, go }: Setting, flags: WorkerFlags): Promise<Service> {
  const { createWorker } = await import('../worker/worker.ts')
  const { databaseUrl } = await go()
  const known = await loadTasks(config, tasks)
  if (known.length === 0) {
    throw new ConfigError(
      `No task was found in ${config.taskGlobs.join(', ')}: set ROWBEAT_TASKS to the modules that export your tasks, as in "src/**/tasks.ts".`,
    )
  }
  const worker = createWorker({
    databaseUrl,
    tasks: known,
    queues: config.queues,
    concurrency: config.concurrency,
    prefetch: flags.prefetch,
    name: flags.name,
    logger: log,
    prepare: config.prepare,
    retention: config.resultRetentionMs / 1000,
  })
  await worker.start()
  return {
    url: null,
    document: { name: worker.name, queues: config.queues, tasks: known.map((task) => task.name) },
    stop: (graceMs) => worker.stop({ grace: graceMs / 1000 }),
  }
}
