/**
 * What somebody at the keyboard has chosen to see: a value, and how each key changes it. Whatever a key asks of the world outside
 * (leave, pause a queue) comes back as a wish.
 */
import type { Figures } from './figures.ts'

export const SORTS = ['name', 'waiting', 'running', 'oldest', 'failed'] as const
export type Sort = (typeof SORTS)[number]

export interface View {
  focus: 'queues' | 'workers'
  sort: Sort
  isReversed: boolean
  /** Name of the queue or worker that is chosen; null is the first. */
  chosen: string | null
  /** Only names that contain it. */
  filter: string
  /** What is typed now goes into the filter. */
  isFiltering: boolean
  /** The picture stands still. */
  isFrozen: boolean
  isHelping: boolean
  /** A question that waits for y. */
  question: { queue: string; verb: 'pause' | 'resume' } | null
  /** What came of the last wish. */
  word: string
}

export type Wish = { kind: 'leave' } | { kind: 'suspend' } | { kind: 'pause' | 'resume'; queue: string }

export const START: View = Object.freeze({
  focus: 'queues',
  sort: 'name',
  isReversed: false,
  chosen: null,
  filter: '',
  isFiltering: false,
  isFrozen: false,
  isHelping: false,
  question: null,
  word: '',
})

export const HELP = [
  'q, Ctrl-C   leave',
  'up, down    choose a row (also k, j)',
  'tab         queues or workers',
  's, r        sort by the next column, the other way round',
  '/           show only names that contain what you type; Esc shows all',
  'p           pause the chosen queue, or let it go on',
  'space       hold the picture, or let it go on',
  '?           this, or away with it',
]

/** What a terminal sends for them. */
const KEYS: Readonly<Record<string, string>> = {
  '\u001b[A': 'up',
  '\u001bOA': 'up',
  '\u001b[B': 'down',
  '\u001bOB': 'down',
  '\u001b[C': 'right',
  '\u001b[D': 'left',
  '\u001b[Z': 'tab',
  '\t': 'tab',
  '\r': 'enter',
  '\n': 'enter',
  '\u001b': 'escape',
  '\u007f': 'back',
  '\b': 'back',
  '\u0003': 'leave',
  '\u0004': 'leave',
  '\u001a': 'suspend',
}

/** Splits what came in one read: somebody may type faster than we look, and a key may be several bytes. */
export function keysIn(text: string): string[] {
  // oxlint-disable-next-line no-control-regex -- a terminal's sequences begin with one
  const parts = text.match(/\u001b(?:\[[0-9;]*[A-Za-z~]|O[A-Z])|[\s\S]/gu) ?? []
  return parts.map((part) => KEYS[part] ?? part)
}

export function press(view: View, key: string, figures: Figures): { view: View; wish: Wish | null } {
  const still = (next: Partial<View>, wish: Wish | null = null): { view: View; wish: Wish | null } => ({
    view: { ...view, word: '', ...next },
    wish,
  })
  if (key === 'leave') return still({}, { kind: 'leave' })
  if (key === 'suspend') return still({}, { kind: 'suspend' })
  if (view.isFiltering) return still(typed(view, key))
  if (view.question) {
    const { queue, verb } = view.question
    return still({ question: null }, key === 'y' || key === 'Y' ? { kind: verb, queue } : null)
  }
  switch (key) {
    case 'q':
      return still({}, { kind: 'leave' })
    case '?':
    case 'h':
      return still({ isHelping: !view.isHelping })
    case ' ':
      return still({ isFrozen: !view.isFrozen })
    case 'tab':
      return still({ focus: view.focus === 'queues' ? 'workers' : 'queues', chosen: null })
    case 's':
    case 'right':
    case 'left': {
      const step = key === 'left' ? SORTS.length - 1 : 1
      return still({ sort: SORTS[(SORTS.indexOf(view.sort) + step) % SORTS.length] })
    }
    case 'r':
      return still({ isReversed: !view.isReversed })
    case '/':
      return still({ isFiltering: true })
    case 'escape':
      return still({ filter: '', isHelping: false })
    case 'up':
    case 'k':
    case 'down':
    case 'j':
      return still({ chosen: neighbour(view, figures, key === 'up' || key === 'k' ? -1 : 1) })
    case 'p':
      return still(askToPause(view, figures))
    default:
      return still({})
  }
}

function typed({ filter }: View, key: string): Partial<View> {
  if (key === 'enter') return { isFiltering: false }
  if (key === 'escape') return { isFiltering: false, filter: '' }
  if (key === 'back') return { filter: [...filter].slice(0, -1).join('') }
  return /^[^\p{Cc}]$/u.test(key) && filter.length < 64 ? { filter: filter + key } : {}
}

function askToPause(view: View, figures: Figures): Partial<View> {
  const queue = view.focus === 'queues' ? chosenOf(view, figures) : null
  const found = figures.queues.find(({ name }) => name === queue)
  if (!found) return { word: 'Choose a queue first.' }
  return { question: { queue: found.name, verb: found.state === 'open' ? 'pause' : 'resume' } }
}

/** What the list that has the focus shows, in its order. */
export function listed(view: View, figures: Figures): string[] {
  return view.focus === 'queues'
    ? queuesOf(view, figures).map(({ name }) => name)
    : workersOf(view, figures).map(({ name }) => name)
}

/** The one that is chosen, if it is still there; else the first. */
export function chosenOf(view: View, figures: Figures): string | null {
  const names = listed(view, figures)
  return names.find((name) => name === view.chosen) ?? names[0] ?? null
}

function neighbour(view: View, figures: Figures, step: number): string | null {
  const names = listed(view, figures)
  const at = names.indexOf(chosenOf(view, figures) ?? '')
  return names[Math.max(0, Math.min(names.length - 1, at + step))] ?? null
}

export function queuesOf({ filter, sort, isReversed }: View, { queues }: Figures): Figures['queues'] {
  const by: Record<Sort, (queue: Figures['queues'][number]) => number> = {
    name: () => 0,
    waiting: ({ waiting }) => -waiting,
    running: ({ running }) => -running,
    oldest: ({ oldest_age }) => -(oldest_age ?? -1),
    failed: ({ failed }) => -failed,
  }
  return ordered(queues, filter, by[sort], isReversed)
}

export function workersOf({ filter, sort, isReversed }: View, { workers }: Figures): Figures['workers'] {
  const by: Record<Sort, (worker: Figures['workers'][number]) => number> = {
    name: () => 0,
    waiting: ({ rate }) => -(rate ?? 0),
    running: ({ running }) => -running,
    oldest: ({ runs }) => -Math.max(0, ...runs.map(({ seconds }) => seconds)),
    failed: ({ failing }) => -(failing ?? 0),
  }
  return ordered(workers, filter, by[sort], isReversed)
}

function ordered<T extends { name: string }>(
  items: readonly T[],
  filter: string,
  by: (item: T) => number,
  isReversed: boolean,
): T[] {
  const wanted = filter.toLowerCase()
  const shown = items.filter(({ name }) => name.toLowerCase().includes(wanted))
  const sorted = shown.toSorted((a, b) => by(a) - by(b) || (a.name < b.name ? -1 : 1))
  return isReversed ? sorted.reverse() : sorted
}
