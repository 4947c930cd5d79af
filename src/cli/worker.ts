/**
 * `rowbeat worker`: runs tasks until it is stopped. On SIGTERM it claims no more, lets what runs end within the grace,
 * hands back the rest uncounted and exits 0; a second signal hands back at once. Asked for several processes, or for one
 * that is replaced when it has done its share, it is their supervisor instead (supervise.ts).
 */
import { ConfigError } from '../errors.ts'
import { loadModules } from './modules.ts'
import { readSettings } from './options.ts'
import { serve, type ServeFlags, type Service, type Setting } from './serve.ts'
import { createShare } from './share.ts'

export interface WorkerFlags extends ServeFlags {
  beat?: boolean
}

export async function work(flags: WorkerFlags): Promise<number> {
  if (!flags.supervised) {
    const settings = await readSettings(flags, flags)
    const { processes, maxRunsPerProcess, maxMemoryPerProcess } = settings.config
    if (processes > 1 || maxRunsPerProcess !== null || maxMemoryPerProcess !== null) {
      const { supervise } = await import('./supervise.ts')
      return await supervise(settings, { beat: flags.beat ?? false })
    }
  }
  return await serve('worker', flags, (setting) => beginWork(setting, flags))
}

async function beginWork(setting: Setting, flags: WorkerFlags): Promise<Service> {
  const { createWorker } = await import('../worker/worker.ts')
  const { config, given, log, go, index, isSupervised } = setting
  const { databaseUrl } = await go()
  const { tasks: known, schedules, queues } = await loadModules(config, given)
  if (known.length === 0) {
    throw new ConfigError(
      `No task was found in ${config.taskGlobs.join(', ')}: set ROWBEAT_TASKS to the modules that export your tasks, as in "src/**/tasks.ts".`,
    )
  }
  const share = createShare(isSupervised ? config.maxRunsPerProcess : config.maxRuns)
  const worker = createWorker({
    databaseUrl,
    tasks: known,
    queues: config.queues,
    concurrency: config.concurrency,
    autoscale: config.autoscale ?? undefined,
    autoscaleKeepAlive: config.autoscaleKeepAliveMs / 1000,
    prefetch: config.prefetch ?? undefined,
    threads: config.threads ?? undefined,
    timeLimit: seconds(config.timeLimitMs),
    softTimeLimit: seconds(config.softTimeLimitMs),
    maxRuns: share.noticeAt ?? undefined,
    maxMemory: config.maxMemoryPerProcess ?? undefined,
    name: namePattern(config),
    index,
    logger: log,
    prepare: config.prepare,
    retention: config.resultRetentionMs / 1000,
    middleware: given.middleware,
    routes: given.routes,
    queueDefinitions: queues,
    outbound: { allow: config.httpAllow, httpsOnly: config.httpHttpsOnly },
    httpTask: config.httpTask,
  })
  const { spent, done, dismissed } = share.follow(worker.events)
  await worker.start()
  const beat = flags.beat
    ? await (await import('./beat.ts')).beginBeat(setting, databaseUrl, schedules)
    : null
  return {
    url: null,
    document: { name: worker.name, queues: config.queues, tasks: known.map((task) => task.name) },
    spent,
    done,
    dismissed,
    async stop(graceMs) {
      await Promise.all([beat?.stop(graceMs), worker.stop({ grace: graceMs / 1000 })])
    },
  }
}

/** Several processes never share a name: one without %i gets a number at its end. */
function namePattern({ workerName, processes }: Setting['config']): string | undefined {
  if (workerName === null) return undefined
  return processes > 1 && !workerName.replaceAll('%%', '').includes('%i') ? `${workerName}-%i` : workerName
}

function seconds(ms: number | null): number | undefined {
  return ms === null ? undefined : ms / 1000
}
