/**
 * One picture of top: figures and a view in, lines out, as many and as wide as there is room. No line is ever longer than the
 * terminal, whatever a worker is called: what would move the cursor is taken out first.
 */
import { spanOf, sizeOf } from '../doctor/finding.ts'
import { VERSION } from '../../version.ts'
import type { Figures, QueueFigures, WorkerFigures } from './figures.ts'
import { chosenOf, HELP, queuesOf, workersOf, type View } from './view.ts'
import { clip, pad } from './width.ts'

export interface Line {
  text: string
  style: 'plain' | 'head' | 'bad' | 'dim' | 'chosen'
}

export interface Room {
  columns: number
  rows: number
}

export interface Scene {
  figures: Figures
  view: View
  /** Where the database is. */
  place: string
  /** Runs a second at the last looks, oldest first. */
  history: readonly number[]
  /** Why there is nothing newer; null when there is. */
  trouble: string | null
}

const BARS = '▁▂▃▄▅▆▇█'
const plain = (text: string): Line => ({ text, style: 'plain' })

export function drawFrame(scene: Scene, room: Room): Line[] {
  const top = header(scene, room)
  const foot = footer(scene)
  const left = Math.max(0, room.rows - top.length - foot.length)
  const body = scene.view.isHelping ? HELP.map(plain) : sections(scene, { columns: room.columns, rows: left })
  const shown = body.slice(0, left)
  while (shown.length < left) shown.push(plain(''))
  return [...top, ...shown, ...foot]
    .slice(0, room.rows)
    .map(({ text, style }) => ({ text: clip(text, room.columns), style }))
}

/** All there is, for who reads it later. */
export function drawAll(scene: Scene, columns: number): Line[] {
  const body = sections(scene, { columns, rows: Number.POSITIVE_INFINITY })
  return [...header(scene, { columns, rows: 0 }), ...body].map(({ text, style }) => ({
    text: clip(text, columns).trimEnd(),
    style: style === 'chosen' ? 'plain' : style,
  }))
}

function header({ figures, place, history, view, trouble }: Scene, { columns }: Room): Line[] {
  const { throughput, running, slots, waiting, workers, problems, at } = figures
  const held = view.isFrozen ? '  HELD' : ''
  const title = `rowbeat ${VERSION}  ${place}`
  const rate = (n: number | undefined): string => (n === undefined ? '-' : n.toFixed(1))
  const sums = [
    `problems ${problems.length}`,
    `workers ${workers.length}`,
    `running ${running}/${slots}`,
    `waiting ${waiting}`,
    `done ${rate(throughput?.succeeded)}/s`,
    `failed ${rate(throughput?.failed)}/s`,
    `retried ${rate(throughput?.retried)}/s`,
  ].join('  ')
  const clock = `${at.slice(11, 19)}Z${held}`
  const lines: Line[] = [
    { text: `${pad(title, Math.max(0, columns - clock.length - 1))} ${clock}`, style: 'head' },
    plain(sums),
    { text: barsOf(history, columns), style: 'dim' },
  ]
  if (trouble !== null) lines.push({ text: trouble, style: 'bad' })
  return lines
}

function barsOf(history: readonly number[], columns: number): string {
  const shown = history.slice(-Math.max(0, columns))
  const most = Math.max(...shown, 0)
  if (most === 0) return ''
  return shown.map((n) => (n <= 0 ? ' ' : BARS[Math.min(7, Math.floor((n / most) * 7.999))])).join('')
}

function footer({ view }: Scene): Line[] {
  if (view.question) {
    const { verb, queue } = view.question
    const words = verb === 'pause' ? `Pause ${queue}? What runs goes on.` : `Let ${queue} go on?`
    return [{ text: `${words} [y/N]`, style: 'head' }]
  }
  if (view.isFiltering) return [{ text: `names that contain: ${view.filter}_`, style: 'head' }]
  if (view.word) return [{ text: view.word, style: 'head' }]
  const filter = view.filter ? `  only *${view.filter}*` : ''
  const keys = `q leave  tab arrows  s sort: ${view.sort}  / filter  p pause  space hold  ? help`
  return [{ text: keys + filter, style: 'dim' }]
}

/** Queues, workers, problems, each with room by need; what has the focus is never squeezed out. */
function sections(scene: Scene, { columns, rows }: Room): Line[] {
  const { figures, view } = scene
  const problems = figures.problems.map(({ level, detail }): Line => ({
    text: `  ${level}: ${detail}`,
    style: level === 'error' ? 'bad' : 'plain',
  }))
  const parts = [queueLines(figures, view, columns), workerLines(figures, view)]
  if (problems.length > 0) parts.push([{ text: 'PROBLEMS', style: 'head' }, ...problems])
  const shares = shareOut(
    parts.map((lines) => lines.length),
    rows - (parts.length - 1),
  )
  return parts.flatMap((lines, at) => [...(at > 0 ? [plain('')] : []), ...within(lines, shares[at]!)])
}

/** Rows for each: all that it needs while there is room, else an equal part, and what others leave. */
export function shareOut(needs: readonly number[], rows: number): number[] {
  const shares = needs.map(() => 0)
  let left = rows
  for (let open = needs.map((_, at) => at); open.length > 0 && left > 0;) {
    const part = Math.max(1, Math.floor(left / open.length))
    for (const at of open) {
      const more = Math.min(part, needs[at]! - shares[at]!, left)
      shares[at]! += more
      left -= more
    }
    open = open.filter((at) => shares[at]! < needs[at]!)
  }
  return shares
}

/** The head, and of the rest the part around what is chosen; the last line says how many are not shown. */
function within(lines: readonly Line[], rows: number): Line[] {
  if (lines.length <= rows) return [...lines]
  if (rows <= 1) return lines.slice(0, Math.max(0, rows))
  const [head, ...rest] = lines
  const chosen = Math.max(
    0,
    rest.findIndex(({ style }) => style === 'chosen'),
  )
  if (rows === 2) return [head!, rest[chosen]!]
  const space = rows - 2
  const from = Math.min(Math.max(0, chosen - space + 1), rest.length - space)
  const hidden = rest.length - space
  return [head!, ...rest.slice(from, from + space), { text: `  … ${hidden} more`, style: 'dim' }]
}

/** What the other columns of queues take, and the longest name that a queue may have. */
const BESIDE = [9, 8, 8, 5, 6, 9, 9, 8]
const NAME_MAX = 33

function queueLines(figures: Figures, view: View, columns: number): Line[] {
  const chosen = view.focus === 'queues' ? chosenOf(view, figures) : null
  const row = (cells: readonly string[]): string => {
    const [name = '', ...rest] = cells
    const taken = BESIDE.reduce((sum, width) => sum + width, 0)
    const width = Math.min(NAME_MAX, Math.max(8, columns - taken))
    return pad(name, width) + rest.map((cell, at) => cell.padStart(BESIDE[at]!)).join('')
  }
  const heads = ['QUEUE', 'STATE', 'WAITING', 'OLDEST', 'RUN', 'SLOTS', 'DONE', 'WAIT P95', 'FAILED']
  const cells = (queue: QueueFigures): string[] => [
    queue.name,
    queue.state,
    `${queue.capped ? '~' : ''}${queue.waiting}`,
    queue.oldest_age === null ? '-' : spanOf(queue.oldest_age),
    String(queue.running),
    String(queue.slots),
    `${queue.rate.toFixed(1)}/s`,
    queue.waited_p95 === null ? '-' : spanOf(queue.waited_p95),
    String(queue.failed),
  ]
  const shown = queuesOf(view, figures)
  return [
    { text: row(heads), style: 'head' },
    ...shown.map((queue): Line => ({
      text: row(cells(queue)),
      style: queue.name === chosen ? 'chosen' : queue.slots === 0 && queue.waiting > 0 ? 'bad' : 'plain',
    })),
    ...(shown.length === 0 ? [plain('  none')] : []),
  ]
}

function workerLines(figures: Figures, view: View): Line[] {
  const chosen = view.focus === 'workers' ? chosenOf(view, figures) : null
  const row = (cells: readonly string[]): string => {
    const [name = '', ...rest] = cells
    return pad(name, 24) + rest.map((cell) => cell.padStart(9)).join('')
  }
  const cells = (worker: WorkerFigures): string[] => [
    worker.name,
    worker.state,
    `${worker.running}/${worker.slots}`,
    worker.rate === null ? '-' : `${worker.rate.toFixed(1)}/s`,
    worker.failing === null ? '-' : `${worker.failing.toFixed(1)}/s`,
    worker.rss_bytes === null ? '-' : sizeOf(worker.rss_bytes),
    worker.loop_lag_ms === null ? '-' : `${Math.round(worker.loop_lag_ms)} ms`,
  ]
  const shown = workersOf(view, figures)
  return [
    { text: row(['WORKER', 'STATE', 'RUNNING', 'DONE', 'FAILED', 'MEMORY', 'LAG']), style: 'head' },
    ...shown.flatMap((worker): Line[] => [
      { text: row(cells(worker)), style: worker.name === chosen ? 'chosen' : 'plain' },
      ...worker.runs.toSorted((a, b) => b.seconds - a.seconds).map(runLine),
    ]),
    ...(shown.length === 0 ? [plain('  none')] : []),
  ]
}

function runLine({ id, task, attempt, seconds }: WorkerFigures['runs'][number]): Line {
  const again = attempt > 1 ? `  try ${attempt}` : ''
  return { text: `  ${spanOf(seconds).padStart(8)}  ${pad(task, 30)}  ${id}${again}`, style: 'dim' }
}
