/**
 * Which queue and priority a run gets when its call says nothing: rules of the application, kept in one place instead
 * of in every task. A router is a record or list of patterns, or a function; the first of several that answers wins.
 *
 * Among patterns an exact name comes first, then globs and regular expressions in the order they were written. A glob
 * is as in a shell (`*`, `?`, `[abc]`, `[!abc]`; a dot is like any other character), matches the whole name, and its
 * case counts. A regular expression is held against the start of the name: end it with `$` to mean all of it.
 */
import { priority as explainPriority } from '../check.ts'
import { ConfigError, EnqueueError } from '../errors.ts'
import { QUEUE_NAME } from './options.ts'

/** A queue, or what of the two is decided. */
export type Route = string | Readonly<{ queue?: string; priority?: number }>

/** Asked with the task's name, its input as JSON gives it back, and the options of the call. */
export type RouteFunction = (
  task: string,
  input: any,
  options: Readonly<Record<string, unknown>>,
) => Route | null | undefined

export type RoutePatterns =
  Readonly<Record<string, Route>> | readonly (readonly [pattern: string | RegExp, route: Route])[]

export type Routes = RoutePatterns | RouteFunction | readonly (RoutePatterns | RouteFunction)[]

export interface Routed {
  queue?: string
  priority?: number
}

export interface Router {
  /** null: no rule applies. Throws EnqueueError when a function of the user's throws or answers no route. */
  route(task: string, input: () => unknown, options: Readonly<Record<string, unknown>>): Routed | null
  /** What patterns alone say: it holds for runs enqueued by SQL and by schedules too. Functions are passed over. */
  routeName(task: string): Routed | null
}

type Step = RouteFunction | { match(task: string): Routed | null }

/** Throws ConfigError for what is no pattern or no route. */
export function createRouter(routes: Routes): Router {
  const steps = stepsOf(routes)
  return {
    route(task, input, options) {
      for (const step of steps) {
        const routed = typeof step === 'function' ? ask(step, task, input, options) : step.match(task)
        if (routed) return routed
      }
      return null
    },
    routeName(task) {
      for (const step of steps) {
        const routed = typeof step === 'function' ? null : step.match(task)
        if (routed) return routed
      }
      return null
    },
  }
}

function stepsOf(routes: unknown): Step[] {
  if (!Array.isArray(routes) || (routes.length > 0 && routes.every(isPair))) return [stepOf(routes)]
  if (routes.some(isPair))
    refuse(
      'a list holds either [pattern, route] pairs or routers; put the pairs into a list or record of their own',
    )
  return routes.map(stepOf)
}

function stepOf(router: unknown): Step {
  if (typeof router === 'function') return router as RouteFunction
  if (Array.isArray(router) && router.every(isPair)) return matcherOf(router)
  const isRecord = typeof router === 'object' && router !== null && !Array.isArray(router)
  if (isRecord && !(router instanceof RegExp)) return matcherOf(Object.entries(router))
  return refuse(
    'a router is a record such as { "mail.*": "high" }, a list of [pattern, route] pairs, or a function',
  )
}

function isPair(value: unknown): value is [string | RegExp, Route] {
  if (!Array.isArray(value) || value.length !== 2) return false
  return (typeof value[0] === 'string' || value[0] instanceof RegExp) && !Array.isArray(value[1])
}

function matcherOf(pairs: readonly (readonly [string | RegExp, unknown])[]): Step {
  const exact = new Map<string, Routed>()
  const patterns: { matches(task: string): boolean; routed: Routed }[] = []
  for (const [pattern, route] of pairs) {
    const why = explainRoute(route)
    if (why) refuse(`the route of ${String(pattern)} ${why}`)
    const routed = toRouted(route as Route)
    if (typeof pattern === 'string' && !/[*?[]/.test(pattern)) exact.set(pattern, routed)
    else patterns.push({ matches: toTest(pattern), routed })
  }
  return {
    match: (task) => exact.get(task) ?? patterns.find(({ matches }) => matches(task))?.routed ?? null,
  }
}

/** Sticky: a match begins at the start or is none. */
function toTest(pattern: string | RegExp): (task: string) => boolean {
  const expression =
    typeof pattern === 'string'
      ? new RegExp(`${globSource(pattern)}$`, 'sy')
      : new RegExp(pattern.source, `${pattern.flags.replace(/[gy]/g, '')}y`)
  return (task) => {
    expression.lastIndex = 0
    return expression.test(task)
  }
}

/** The source of a regular expression that means what the glob means. */
function globSource(glob: string): string {
  let source = ''
  for (let i = 0; i < glob.length; i++) {
    const char = glob[i]!
    // `]` right after the bracket is one of the set.
    const end = char === '[' ? glob.indexOf(']', glob[i + 1] === '!' ? i + 3 : i + 2) : -1
    if (end > 0) {
      source += setSource(glob.slice(i + 1, end))
      i = end
    } else source += char === '*' ? '.*' : char === '?' ? '.' : escape(char)
  }
  return source
}

function setSource(inside: string): string {
  const negated = inside.startsWith('!')
  const text = negated ? inside.slice(1) : inside
  let set = ''
  for (let i = 0; i < text.length; i++) {
    const isRange = text[i + 1] === '-' && i + 2 < text.length
    const last = isRange ? text[i + 2]! : text[i]!
    // A range that runs backwards holds nothing.
    if (text[i]! <= last) set += isRange ? `${escape(text[i]!)}-${escape(last)}` : escape(last)
    if (isRange) i += 2
  }
  if (set === '') return negated ? '.' : '(?!)'
  return `[${negated ? '^' : ''}${set}]`
}

function escape(char: string): string {
  return char.replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&')
}

function ask(
  router: RouteFunction,
  task: string,
  input: () => unknown,
  options: Readonly<Record<string, unknown>>,
): Routed | null {
  let route: unknown
  try {
    route = router(task, input(), options)
  } catch (cause) {
    throw new EnqueueError(
      'RB_OPTION_INVALID',
      `the function of routes threw for ${task}: ${(cause as Error)?.message ?? String(cause)}`,
      [{ pointer: '/queue', detail: 'is decided by a function of routes, which threw' }],
      { cause },
    )
  }
  if (route === null || route === undefined) return null
  const why = explainRoute(route)
  if (!why) return toRouted(route as Route)
  throw new EnqueueError('RB_OPTION_INVALID', `what a function of routes answered for ${task} ${why}`, [
    { pointer: '/queue', detail: `is decided by a function of routes, whose answer ${why}` },
  ])
}

/** What is wrong with a route, or null. */
function explainRoute(route: unknown): string | null {
  if (typeof route === 'string') return explainQueue(route)
  if (typeof route !== 'object' || route === null || Array.isArray(route) || route instanceof Promise)
    return 'is no route: give the name of a queue, or { queue, priority }'
  const unknown = Object.keys(route).find((key) => key !== 'queue' && key !== 'priority')
  if (unknown) return `has "${unknown}", which is no part of a route (queue, priority)`
  const { queue, priority } = route as { queue?: unknown; priority?: unknown }
  const why = priority === undefined ? null : explainPriority(priority)
  if (why) return `has a priority that ${why}`
  return queue === undefined ? null : explainQueue(queue)
}

function explainQueue(queue: unknown): string | null {
  if (typeof queue === 'string' && QUEUE_NAME.test(queue)) return null
  return `names the queue ${JSON.stringify(queue)}, and a queue must match ${QUEUE_NAME.source}`
}

function toRouted(route: Route): Routed {
  return Object.freeze(typeof route === 'string' ? { queue: route } : { ...route })
}

function refuse(why: string): never {
  throw new ConfigError(`routes: ${why}.`)
}
