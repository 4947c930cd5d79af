/**
 * How a worker ends: quiet (it claims nothing), drain (runs may end, then are asked to, within the grace), and then it stores
 * what is not yet stored and hands back what did not end, uncounted. A database that does not answer must not keep the
 * process: the rest is swept when its heart has stopped.
 */
import { monotonicMs, sleep } from '../clock.ts'
import type { Queryable } from '../db/handle.ts'
import { handBack } from '../db/statements/recovery.ts'
import { recordHandedBack, removeWorker } from '../db/statements/workers.ts'
import type { Dispatcher } from '../dispatcher/dispatcher.ts'
import { Stopping } from './active.ts'
import type { RunEvents } from './events.ts'
import type { Flusher } from './flusher.ts'
import type { Lanes } from './lanes.ts'
import { toListed, type Performer } from './perform.ts'
import type { Recorder } from './recorder.ts'

/** How long a run that was asked to stop may still take before it is handed back. */
const LAST_WORDS_MS = 500
/** After the grace: for the last outcomes to be stored, and what did not end to be handed back. */
const LEAVE_MS = 3000

export interface LeaveOptions {
  db: Queryable
  name: string
  /** Of its row in the registry. */
  id: string
  events: RunEvents
  lanes: Lanes
  performer: Performer
  flusher: Flusher
  recorder: Recorder
  dispatcher: Dispatcher
  /** Until when runs may end; it may come nearer meanwhile. */
  deadline(): number
  /** It claims nothing any more. */
  onQuiet(): void
}

/** Answers how many runs went back. */
export async function leave(options: LeaveOptions): Promise<number> {
  const { lanes, performer, deadline } = options
  lanes.quiet()
  performer.quiet()
  options.onQuiet()
  while (lanes.running() > 0 && monotonicMs() < deadline()) await sleep(20)
  for (const running of performer.active.values()) running.abort(new Stopping())
  const lastWords = monotonicMs() + LAST_WORDS_MS
  while (lanes.running() > 0 && monotonicMs() < lastWords) await sleep(20)
  performer.endRevoked()
  // Before they are handed back: what goes back must not go on here.
  await performer.end()
  const patience = new AbortController()
  const handedBack = await Promise.race([
    settle(options),
    sleep(Math.max(LEAVE_MS, deadline() - monotonicMs()), patience.signal).then(() => 0),
  ])
  patience.abort()
  return handedBack
}

/** Stores what is not yet stored and gives back what did not end. */
async function settle({ db, name, id, events, lanes, performer, ...parts }: LeaveOptions): Promise<number> {
  try {
    // A claim that lands after the rows were handed back would lock them in the name of nobody.
    await Promise.all([parts.flusher.drained(), parts.dispatcher.stop(), lanes.settled()])
    await parts.recorder.flush()
    const left = [...performer.active.values()]
    const count = await handBack(db, lanes.pools())
    if (left.length > 0)
      await recordHandedBack(
        db,
        name,
        left.map(({ job, startedMs }) => toListed(job, startedMs)),
      )
    await removeWorker(db, id)
    return count
  } catch (error) {
    events.emit('worker:trouble', { what: 'handing back runs', error })
    return 0
  }
}
