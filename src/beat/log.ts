/**
 * The one listener that turns a beat's events into log lines. Ticks are told at debug, because a busy beat has twenty a
 * second; a problem that repeats says so once a second at most.
 */
import { monotonicMs } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { BeatEvents } from './events.ts'

const TROUBLE_EVERY_MS = 1000

const DECLARED = {
  made: 'schedule made from the code',
  updated: 'schedule updated from the code',
  edited: 'schedule left as it was edited; `rowbeat schedules revert` gives it back to the code',
  taken: 'schedule not made: one of this name was made by hand',
}

export function logBeatEvents(events: BeatEvents, log: Logger): void {
  let saidAt = -Infinity
  let unsaid = 0
  events.on('beat:trouble', ({ what, error }) => {
    if (monotonicMs() - saidAt < TROUBLE_EVERY_MS) return void unsaid++
    saidAt = monotonicMs()
    log.warn({ err: error, ...(unsaid > 0 ? { unsaid } : {}) }, `${what} failed; trying again`)
    unsaid = 0
  })
  events.on('beat:started', (facts) => log.info(facts, 'beat started'))
  events.on('beat:stopped', (facts) => log.info(facts, 'beat stopped'))
  events.on('beat:fired', (facts) => log.debug(facts, 'schedules fired'))
  events.on('beat:armed', (facts) => log.debug(facts, 'next instants worked out'))
  events.on('beat:resumed', (facts) => log.info(facts, 'paused schedules resumed'))
  events.on('beat:paused', (facts) => log.warn(facts, 'schedules paused because their runs fail'))
  events.on('schedule:refused', (facts) => log.error(facts, 'a schedule cannot fire and waits for an edit'))
  events.on('schedule:declared', ({ name, outcome }) => {
    if (outcome === 'taken') log.warn({ name }, DECLARED.taken)
    else log.info({ name }, DECLARED[outcome])
  })
  events.on('schedule:orphaned', (facts) =>
    log.warn(facts, 'schedules that code declared before and does not now; they still fire'),
  )
}
