/**
 * An isolated run as seen from inside its thread or process: imports the module, finds the task, calls its handler with a
 * context whose every word goes to the worker as a message, and sends the answer.
 *
 * What it returns is turned into JSON here, so that a value that cannot be stored is found where it is, and the worker
 * parses nothing larger than it would store.
 */
import { monotonicMs } from '../../clock.ts'
import { ConfigError, DefinitionError } from '../../errors.ts'
import { storableValue } from '../../json.ts'
import type { Context, RunLog } from '../../tasks/context.ts'
import { runAs } from '../../tasks/current.ts'
import type { Task } from '../../tasks/task.ts'
import { checkResult } from '../outcome.ts'
import { findTask } from './modules.ts'
import { toReason, toThrown, type Abort, type Answer, type FromIsolate, type Order } from './protocol.ts'

/** How this place speaks with the worker. */
export interface Line {
  say(message: FromIsolate): void
  /** Calls `hear` when the worker asks to stop. */
  onAbort(hear: (abort: Abort) => void): void
  /** Looks for what has come, in the midst of a handler that never gives the event loop back. */
  look?(): void
}

type Inside = Answer extends infer A ? (A extends unknown ? Omit<A, 'runs'> : never) : never

/** Runs one order and says everything of it, its answer last; never throws. */
export async function runInside(order: Order, line: Line, life: { runs: number }): Promise<void> {
  line.say({ kind: 'taken' })
  const controller = new AbortController()
  line.onAbort((abort) => controller.abort(toReason(abort)))
  const reporter = createReporter(line)
  const answer = await attempt(order, createContext(order, line, controller, reporter.progress), line)
  reporter.flush()
  line.say({ ...answer, runs: ++life.runs } as Answer)
}

async function attempt(order: Order, context: Context, line: Line): Promise<Inside> {
  try {
    const task = await load(order)
    line.say({ kind: 'started' })
    const value = await runAs(context, task.handler, order.input as never, context)
    if (!order.keepsResult) return { kind: 'returned', text: 'null' }
    const stored = checkResult(value)
    return 'text' in stored
      ? { kind: 'returned', text: stored.text }
      : { kind: 'unstorable', fault: stored.fault }
  } catch (thrown) {
    const { signal } = context
    return { kind: 'threw', thrown: toThrown(thrown, signal.aborted ? signal.reason : undefined) }
  }
}

async function load({ module, task: name }: Order): Promise<Task> {
  const task = findTask((await import(module)) as Record<string, unknown>, name)
  if (task) return task
  throw new DefinitionError(
    'RB_TASK_UNKNOWN',
    `${module} does not export task ${name} where it is isolated: export it whatever imports that file.`,
  )
}

function createContext(
  { run }: Order,
  line: Line,
  controller: AbortController,
  progress: Context['progress'],
): Context {
  const sayAt =
    (level: keyof RunLog) =>
    (message: string, data?: unknown): void =>
      line.say({
        kind: 'log',
        level,
        message: String(message),
        data: data === undefined ? undefined : storableValue(data),
      })
  return {
    run: Object.freeze(run),
    get signal() {
      line.look?.()
      return controller.signal
    },
    progress,
    log: { debug: sayAt('debug'), info: sayAt('info'), warn: sayAt('warn'), error: sayAt('error') },
    get tx(): never {
      throw new ConfigError(
        `task ${run.task} has no transaction: an isolated task cannot be transactional, open a connection of its own.`,
      )
    },
  }
}

/** Progress is free to call in a tight loop: what is told within so many milliseconds is told once. */
const REPORT_EVERY_MS = 100

function createReporter(line: Line): { progress: Context['progress']; flush(): void } {
  let told: FromIsolate | null = null
  let saidAt = -Infinity
  let timer: NodeJS.Timeout | undefined
  const flush = (): void => {
    clearTimeout(timer)
    timer = undefined
    if (!told) return
    saidAt = monotonicMs()
    line.say(told)
    told = null
  }
  return {
    progress(current, total = null, meta = null) {
      if (!Number.isFinite(current)) return
      told = { kind: 'progress', current, total, meta: storableValue(meta) }
      const due = saidAt + REPORT_EVERY_MS - monotonicMs()
      if (due <= 0) flush()
      else timer ??= setTimeout(flush, due).unref()
    },
    flush,
  }
}
