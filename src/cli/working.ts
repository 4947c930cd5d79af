/**
 * The flags of commands that run tasks, and what they say in a configuration: which queues, how many runs at once, in how
 * many processes, within which limits.
 */
import { InvalidArgumentError, Option, type Command } from 'commander'
import { parseAutoscale, parseMemory, parseQueues, PROCESSES_MAX, RUNS_MAX, type Config } from '../config.ts'
import { ConfigError } from '../errors.ts'
import { durationFlag, whole } from './flags.ts'

export interface WorkingFlags {
  queues?: string
  excludeQueues?: string
  concurrency?: number
  grace?: number
  prefetch?: number
  name?: string
  /** Celery's word for the name. */
  hostname?: string
  processes?: number
  maxRunsPerProcess?: number
  maxMemoryPerProcess?: number
  maxRuns?: number
  autoscale?: Config['autoscale']
  autoscaleKeepAlive?: number
  threads?: number
  timeLimit?: number
  softTimeLimit?: number
}

export function addWorking(command: Command): Command {
  return command
    .option(
      '-Q, --queues <list>',
      'queues to serve and runs at once of each, as in high:20,default:10 (default: ROWBEAT_QUEUES)',
    )
    .option('-X, --exclude-queues <list>', 'queues of ROWBEAT_QUEUES not to serve, as in high,slow')
    .option(
      '-c, --concurrency <number>',
      'runs at once for a queue that names no number (default: ROWBEAT_CONCURRENCY, then 10)',
      whole(1, 10_000),
    )
    .option('--prefetch <number>', 'runs to hold ahead of free slots (default: measured)', whole(0, 10_000))
    .option(
      '-n, --name <pattern>',
      'what its runs call it; %h is the host, %i which process, as in w%i@%h (default: host, pid and something random)',
    )
    .addOption(new Option('--hostname <pattern>', 'the same, as Celery calls it').hideHelp())
    .option(
      '--processes <number>',
      'worker processes, each with slots of its own (default: ROWBEAT_PROCESSES, then 1)',
      whole(1, PROCESSES_MAX),
    )
    .option(
      '--max-runs-per-process <number>',
      'replace a worker process that has done so many runs',
      whole(1, RUNS_MAX),
    )
    .option(
      '--max-memory-per-process <size>',
      'replace a worker process that has grown beyond this, as in 300MB',
      taken(parseMemory),
    )
    .option(
      '--autoscale <max,min>',
      'runs at once of each queue as its backlog asks, as in 20,2, instead of a fixed number',
      taken(parseAutoscale),
    )
    .option(
      '--autoscale-keep-alive <duration>',
      'how long slots stay idle before they are given up (default: 30s)',
      durationFlag,
    )
    .option(
      '--threads <number>',
      'isolated runs at once, in threads and processes (default: one for each processor)',
      whole(1, 1024),
    )
    .option(
      '--time-limit <duration>',
      'end a run that takes longer, where call and task name no limit',
      durationFlag,
    )
    .option('--soft-time-limit <duration>', 'ask such a run to stop, by its signal', durationFlag)
}

/** What the flags say of the configuration. */
export function readWorking(flags: WorkingFlags): Partial<Config> {
  return {
    concurrency: flags.concurrency,
    graceMs: flags.grace,
    prefetch: flags.prefetch,
    workerName: flags.name ?? flags.hostname,
    processes: flags.processes,
    maxRunsPerProcess: flags.maxRunsPerProcess,
    maxMemoryPerProcess: flags.maxMemoryPerProcess,
    maxRuns: flags.maxRuns,
    autoscale: flags.autoscale,
    autoscaleKeepAliveMs: flags.autoscaleKeepAlive,
    threads: flags.threads,
    timeLimitMs: flags.timeLimit,
    softTimeLimitMs: flags.softTimeLimit,
  }
}

/** Flags name them, or the configuration does; some may be left out. */
export function queuesOf(flags: WorkingFlags, config: Config): Config['queues'] {
  const asked = flags.queues ? parseQueues(flags.queues, config.concurrency) : config.queues
  return flags.excludeQueues ? withoutQueues(asked, flags.excludeQueues) : asked
}

/** A name that is not there to be left out is a mistyped one. */
function withoutQueues(queues: Config['queues'], text: string): Config['queues'] {
  const excluded = Object.keys(parseQueues(text, 1))
  const unknown = excluded.find((queue) => !Object.hasOwn(queues, queue))
  const left = Object.entries(queues).filter(([queue]) => !excluded.includes(queue))
  if (!unknown && left.length > 0) return Object.fromEntries(left)
  throw new ConfigError(
    unknown
      ? `--exclude-queues: "${unknown}" is none of the queues that would be served, which are ${Object.keys(queues).join(', ')}.`
      : '--exclude-queues: no queue is left to serve.',
  )
}

/** A flag's text read as the variable of the same meaning is. */
function taken<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text)
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message)
    }
  }
}
