/**
 * What a live worker answers to commands. Settings are applied by the time they come here (worker/orders.ts), so their
 * answer is what the worker is now. Nothing that is answered holds a secret: of the database it tells the host and the name.
 */
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { performance } from 'node:perf_hooks'
import { monotonicMs } from '../clock.ts'
import type { Command } from '../db/statements/control.ts'
import type { WorkerFacts } from '../db/statements/workers.ts'
import { ControlError } from '../errors.ts'
import type { Registry } from '../tasks/registry.ts'
import { VERSION } from '../version.ts'
import type { Heartbeat } from './heartbeat.ts'
import type { ClaimedJob } from './job.ts'
import type { Lanes } from './lanes.ts'

export interface AnswersOptions {
  databaseUrl: string
  registry: Registry
  lanes: Lanes
  heart(): Heartbeat
  facts(): WorkerFacts
  /** Outcomes that are not stored yet. */
  unstored(): number
  /** What it was started with, without secrets. */
  config: Record<string, unknown>
}

/** Answers one command; null: another thread does. Throws what the answer is to say went wrong. */
export function createAnswers(options: AnswersOptions): (command: Command) => Promise<unknown> {
  const { registry, lanes, facts } = options
  const since = monotonicMs()

  const stats = (): object => ({
    ...facts(),
    uptime: Math.round(monotonicMs() - since) / 1000,
    running: lanes.running(),
    reserved: lanes.held().length,
    unstored: options.unstored(),
    rusage: process.resourceUsage(),
    memory: process.memoryUsage(),
    event_loop: performance.eventLoopUtilization(),
    connected_ms: Math.round(options.heart().steadyMs()),
  })
  const report = (): object => ({
    versions: { rowbeat: VERSION, node: process.versions.node, v8: process.versions.v8 },
    machine: {
      platform: platform(),
      release: release(),
      arch: arch(),
      cpus: cpus().length,
      memory: totalmem(),
    },
    config: { ...options.config, database: placeOf(options.databaseUrl) },
    tasks: [...registry.keys()],
    ...stats(),
  })
  const requireTask = (name: unknown): object => {
    if (registry.has(String(name))) return { task: name }
    throw new ControlError('RB_TASK_UNKNOWN', `unknown task ${String(name)}`)
  }

  return async ({ id, command, args }) => {
    switch (command) {
      case 'ping':
        return 'pong'
      case 'stats':
        return stats()
      case 'report':
        return report()
      case 'reserved':
        return lanes.held().map(describeHeld)
      case 'shutdown':
        return { stopping: true }
      case 'dump_stacks':
        options.heart().dump(id)
        return null
      case 'rate_limit':
      case 'time_limit':
        return requireTask(args.task)
      default: {
        const { queues, autoscale, quiet } = facts()
        return { queues, autoscale, quiet }
      }
    }
  }
}

/** graphile-worker names the task of a run when it asks for it, so one that is just claimed has none yet. */
function describeHeld({ key, task_identifier, priority }: ClaimedJob): object {
  const [queue = null, task = null] = task_identifier?.split(/:(.*)/s) ?? []
  return { id: key, task, queue, priority }
}

function placeOf(databaseUrl: string): string | null {
  const url = URL.parse(databaseUrl)
  return url && `${url.host}${url.pathname}`
}
