/**
 * `rowbeat worker`: runs tasks until it is stopped. On SIGTERM it claims no more, lets what runs end within the grace,
 * hands back the rest uncounted and exits 0; a second signal hands back at once.
 */
import { ConfigError } from '../errors.ts'
import { loadModules } from './modules.ts'
import { serve, type ServeFlags, type Service, type Setting } from './serve.ts'

export interface WorkerFlags extends ServeFlags {
  prefetch?: number
  name?: string
  beat?: boolean
}

export async function work(flags: WorkerFlags): Promise<number> {
  return await serve('worker', flags, (setting) => beginWork(setting, flags))
}

async function beginWork(setting: Setting, flags: WorkerFlags): Promise<Service> {
  const { createWorker } = await import('../worker/worker.ts')
  const { config, given, log, go } = setting
  const { databaseUrl } = await go()
  const { tasks: known, schedules } = await loadModules(config, given)
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
  const beat = flags.beat
    ? await (await import('./beat.ts')).beginBeat(setting, databaseUrl, schedules)
    : null
  return {
    url: null,
    document: { name: worker.name, queues: config.queues, tasks: known.map((task) => task.name) },
    async stop(graceMs) {
      await Promise.all([beat?.stop(graceMs), worker.stop({ grace: graceMs / 1000 })])
    },
  }
}
