/**
 * What an application puts around every run. A middleware is a function that calls `next()` for the rest and may look
 * at, change, catch or replace what comes of it: what it throws is the handler's error, what it answers the result. A
 * record of hooks is only told: before the handler, after it, on a failure, on another try. Nobody waits for a hook,
 * and what it throws changes nothing; it is handed to `onFailure`.
 *
 *   first middleware ( second middleware ( handler ) )
 */
import { ConfigError, RunFailed, type ErrorData } from '../errors.ts'
import type { Context } from './context.ts'
import { runAs } from './current.ts'

export type Middleware = (context: Context, next: () => Promise<unknown>, input: any) => unknown

/** What became of a try. */
export interface TryOutcome {
  readonly state: 'SUCCESS' | 'FAILURE' | 'REVOKED' | 'RETRY' | 'SCHEDULED'
  readonly reason: string | null
  /** What it returned; undefined unless the state is SUCCESS. */
  readonly result?: unknown
  /** The error as it is stored. */
  readonly error: ErrorData | null
  /** Seconds until it may run again: RETRY and SCHEDULED. */
  readonly delay: number | null
}

/** Told, not waited for. */
export interface RunHooks {
  /** The handler is about to be called. */
  before?(context: Context, input: any): unknown
  /** The try is over, however it ended; after `error` and `retry`. */
  after?(context: Context, outcome: TryOutcome): unknown
  /** The run ended as FAILURE; `error` is what was thrown, or a RunFailed where nothing was, as at a time limit. */
  error?(context: Context, error: unknown): unknown
  /** It failed and will be tried again in so many seconds. */
  retry?(context: Context, error: unknown, delay: number): unknown
}

/** In the order of the list, the first one outermost. */
export type MiddlewareList = readonly (Middleware | RunHooks)[]

export interface HookFailure {
  readonly run: string
  readonly task: string
  readonly hook: string
  readonly error: unknown
}

/** The end of a try as a worker decides it. */
export interface EndedTry {
  readonly state: 'SUCCESS' | 'FAILURE' | 'REVOKED' | 'PARK'
  readonly reason?: string | null
  readonly result?: unknown
  readonly error?: unknown
  readonly delay?: number
}

export interface Surround {
  /** The handler's answer with everything around it. */
  call(context: Context, input: unknown, handler: () => unknown): unknown
  /** Tells the hooks how it ended. */
  ended(context: Context, ended: EndedTry, thrown?: unknown): void
}

const HOOKS = ['before', 'after', 'error', 'retry'] as const

/** null where there is nothing to put around a run. Throws ConfigError for what is neither a function nor hooks. */
export function createSurround(
  list: MiddlewareList | undefined,
  onFailure: (failure: HookFailure) => void,
): Surround | null {
  checkMiddleware(list)
  if (!list || list.length === 0) return null
  const middleware = list.filter((item) => typeof item === 'function')
  const hooks = list.filter((item) => typeof item === 'object')
  const tell = (context: Context, hook: keyof RunHooks, ...facts: unknown[]): void => {
    const { id: run, task } = context.run
    for (const item of hooks) {
      if (!item[hook]) continue
      const fail = (error: unknown): void => onFailure({ run, task, hook, error })
      try {
        const told: unknown = (item[hook] as (...args: unknown[]) => unknown)(context, ...facts)
        if (told instanceof Promise) told.catch(fail)
      } catch (error) {
        fail(error)
      }
    }
  }
  return {
    call(context, input, handler) {
      tell(context, 'before', input)
      return middleware.length === 0 ? handler() : pass(middleware, 0, context, input, handler)
    },
    ended(context, ended, thrown) {
      runAs(context, () => {
        const outcome = toOutcome(ended)
        if (outcome.state === 'FAILURE') tell(context, 'error', thrown ?? toError(context, outcome))
        if (outcome.state === 'RETRY') tell(context, 'retry', thrown, outcome.delay)
        tell(context, 'after', outcome)
      })
    },
  }
}

/** Throws ConfigError. */
export function checkMiddleware(list: unknown): void {
  if (list === undefined) return
  if (!Array.isArray(list))
    throw new ConfigError('middleware: give a list of functions (context, next) and of hooks.')
  list.forEach((item: unknown, index) => {
    if (typeof item === 'function') return
    const why = explainHooks(item)
    if (why) throw new ConfigError(`middleware: item ${index} ${why}.`)
  })
}

function explainHooks(item: unknown): string | null {
  if (typeof item !== 'object' || item === null || Array.isArray(item))
    return 'is neither a function (context, next) nor an object of hooks'
  const unknown = Object.keys(item).find((key) => !HOOKS.includes(key as (typeof HOOKS)[number]))
  if (unknown) return `has "${unknown}", which is no hook; known are ${HOOKS.join(', ')}`
  const wrong = Object.entries(item).find(([, hook]) => hook !== undefined && typeof hook !== 'function')
  return wrong ? `has "${wrong[0]}", which must be a function` : null
}

/** Calls the middleware at `index` around the rest. */
async function pass(
  list: readonly Middleware[],
  index: number,
  context: Context,
  input: unknown,
  handler: () => unknown,
): Promise<unknown> {
  if (index === list.length) return await handler()
  let isCalled = false
  const next = async (): Promise<unknown> => {
    if (isCalled)
      throw new ConfigError(
        'a middleware called next() twice: a run is tried again with `throw new Retry()`, not by calling its handler anew.',
      )
    isCalled = true
    return await pass(list, index + 1, context, input, handler)
  }
  return await list[index]!(context, next, input)
}

function toOutcome({ state, reason = null, result, error, delay }: EndedTry): TryOutcome {
  return Object.freeze({
    state: state !== 'PARK' ? state : reason === 'retry' ? 'RETRY' : 'SCHEDULED',
    reason,
    ...(state === 'SUCCESS' && { result }),
    error: (error as ErrorData | undefined) ?? null,
    delay: delay ?? null,
  })
}

function toError({ run }: Context, { reason, error }: TryOutcome): RunFailed {
  return new RunFailed('RB_RUN_FAILED', run.id, reason ?? 'error', error)
}
