/**
 * `rowbeat top`: queues, workers with what they run, throughput and problems, looked at anew each second. Away from a terminal, or
 * with --once or --json, it looks twice, a second apart, prints what it saw and ends. When the database goes away meanwhile the
 * last picture stays, with a word, until it is back.
 */
import { PROCESS } from '../../auth/scopes.ts'
import { monotonicMs, sleep } from '../../clock.ts'
import { readEnvironment } from '../../config.ts'
import { createQueueControl } from '../../control/queues.ts'
import type { Rowbeat } from '../../queue/rowbeat.ts'
import { findDatabase, placeOf, withRowbeat } from '../database.ts'
import { readSettings, type Flags } from '../options.ts'
import { asRowbeatError, EXIT, say } from '../words.ts'
import { createLook, figuresOf, type Figures, type Look } from './figures.ts'
import { drawAll, drawFrame } from './frame.ts'
import { openScreen } from './screen.ts'
import { press, START, type View, type Wish } from './view.ts'

export interface TopFlags extends Flags {
  once?: boolean
  /** Milliseconds. */
  interval?: number
}

/** Of a picture that goes to a file. */
const COLUMNS = 120
const REMEMBERED = 500
const SHORTEST_MS = 200

export async function top(flags: TopFlags): Promise<number> {
  const { config, json } = await readSettings(flags)
  const everyMs = Math.max(SHORTEST_MS, flags.interval ?? 1000)
  const place = placeOf(findDatabase(config))
  await withRowbeat(config, async (rowbeat) => {
    if (flags.once || json || !process.stdout.isTTY) await showOnce(rowbeat, { everyMs, place, json })
    else await watch(rowbeat, everyMs, place)
  })
  return EXIT.done
}

async function showOnce(
  rowbeat: Rowbeat,
  { everyMs, place, json }: { everyMs: number; place: string; json: boolean },
): Promise<void> {
  const look = createLook(rowbeat)
  const before = await look()
  await sleep(everyMs)
  const figures = figuresOf(await look(), before)
  if (json) return say(figures)
  const scene = { figures, view: START, place, history: [], trouble: null }
  const lines = drawAll(scene, process.stdout.columns || COLUMNS)
  say(lines.map(({ text }) => text).join('\n'))
}

/** Returns when somebody leaves. */
async function watch(rowbeat: Rowbeat, everyMs: number, place: string): Promise<void> {
  const over = new AbortController()
  const left = new Promise<null>((resolve) => over.signal.addEventListener('abort', () => resolve(null)))
  const history: number[] = []
  const look = createLook(rowbeat)
  let before: Look | null = null
  let latest = await look()
  let figures = figuresOf(latest, null)
  let view: View = START
  let trouble: string | null = null

  const draw = (): void => screen.draw(drawFrame({ figures, view, place, history, trouble }, screen.room()))
  const grant = async (wish: Wish): Promise<void> => {
    if (wish.kind === 'leave') return over.abort()
    if (wish.kind === 'suspend') return screen.suspend()
    view = { ...view, word: await holdQueue(rowbeat, wish.kind, wish.queue) }
    draw()
  }
  const screen = openScreen(
    {
      onKeys(keys) {
        for (const key of keys) {
          const pressed = press(view, key, figures)
          view = pressed.view
          if (pressed.wish) void grant(pressed.wish)
        }
        draw()
      },
      onChange: draw,
      onEnd: () => over.abort(),
    },
    !readEnvironment().NO_COLOR,
  )
  try {
    for (;;) {
      draw()
      await sleep(Math.max(50, everyMs - (monotonicMs() - latest.atMs)), over.signal)
      if (over.signal.aborted) return
      try {
        // Who leaves does not wait for a database that does not answer.
        const seen = await Promise.race([look(), left])
        if (seen === null) return
        ;[before, latest, trouble] = [latest, seen, null]
        const fresh = figuresOf(latest, before)
        history.push(totalOf(fresh))
        if (history.length > REMEMBERED) history.shift()
        if (!view.isFrozen) figures = fresh
      } catch (error) {
        trouble = asRowbeatError(error).message
        await sleep(everyMs, over.signal)
      }
    }
  } finally {
    screen.close()
  }
}

function totalOf({ throughput }: Figures): number {
  return throughput === null ? 0 : Object.values(throughput).reduce((sum, n) => sum + Math.max(0, n), 0)
}

async function holdQueue(rowbeat: Rowbeat, verb: 'pause' | 'resume', queue: string): Promise<string> {
  const control = createQueueControl(rowbeat)
  try {
    if (verb === 'pause') await control.pause(PROCESS, queue, { reason: 'rowbeat top', until: null })
    else await control.resume(PROCESS, queue)
    return verb === 'pause' ? `${queue} is paused.` : `${queue} goes on.`
  } catch (error) {
    return asRowbeatError(error).message
  }
}
