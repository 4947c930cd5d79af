/**
 * The one listener that turns a worker's events into log lines. A problem that repeats says so once a second at most,
 * because a database that is down for a minute must not write thirty thousand lines about it.
 */
import { monotonicMs } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { RunEvents } from './events.ts'

const TROUBLE_EVERY_MS = 1000

export function logEvents(events: RunEvents, log: Logger): void {
  let saidAt = -Infinity
  let unsaid = 0
  events.on('worker:trouble', ({ what, error }) => {
    if (monotonicMs() - saidAt < TROUBLE_EVERY_MS) return void unsaid++
    saidAt = monotonicMs()
    log.warn({ err: error, ...(unsaid > 0 ? { unsaid } : {}) }, `${what} failed; trying again`)
    unsaid = 0
  })
  events.on('worker:started', (facts) => log.info(facts, 'worker started'))
  events.on('worker:stopping', (facts) =>
    log.info(facts, 'worker stopping: no new runs, waiting for those that run'),
  )
  events.on('worker:stopped', (facts) => log.info(facts, 'worker stopped'))
  events.on('worker:declared-dead', (facts) =>
    log.warn(facts, 'declared dead by another process; going on under a new identity'),
  )
  events.on('worker:namesake', (facts) =>
    log.warn(facts, 'another worker lives under the same name: what is told to one is told to both'),
  )
  events.on('worker:asked-to-stop', (facts) => log.info(facts, 'a command asks this worker to stop'))
  events.on('worker:told', (facts) => log.info(facts, 'told by a command'))
  events.on('worker:spent', (facts) =>
    log.info(facts, 'this process has done what it was to do and may be replaced'),
  )
  events.on('worker:swept', (facts) => log.warn(facts, 'swept dead processes; their runs went back'))
  events.on('worker:reclaimed', (facts) => log.warn(facts, 'took back claims whose answer never came'))
  events.on('lane:restarted', ({ queue, error }) =>
    log.warn({ queue, err: error }, 'a runner ended and is started again'),
  )
  events.on('run:refused', (facts) =>
    log.warn(facts, 'an outcome came after its lease was lost and was refused'),
  )
  events.on('run:unstorable', ({ run, task, error }) =>
    log.error({ run, task, err: error }, 'an outcome could not be stored; the run ended as FAILURE'),
  )
  events.on('hook:failed', ({ run, task, hook, error }) =>
    log.error({ run, task, hook, err: error }, 'a hook threw; its run goes on as if it had not'),
  )
  events.on('run:finished', ({ run, task, state, reason, error }) => {
    if (state === 'FAILURE') log.error({ run, task, reason, error }, 'run failed')
    else if (state === 'PARK') log.info({ run, task, reason }, 'run will be tried again')
  })
  events.on('run:log', ({ run, task, level, message, data }) => {
    const say =
      level === 'error' ? log.error : level === 'warn' ? log.warn : level === 'debug' ? log.debug : log.info
    say.call(log, { run, task, ...(data === undefined ? {} : { data }) }, message)
  })
}
