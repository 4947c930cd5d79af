/**
 * Enqueue: a task, its input and options become one body of POST /v1/runs, checked before anything is written.
 *
 * Outside a caller's transaction, concurrent calls are gathered: while one statement is on its way, what arrives
 * meanwhile is the next batch, and each caller is answered after its batch committed. One commit for sixteen callers
 * is what makes one-by-one enqueue many times as fast as add_job. A batch that Postgres refuses is split, so that
 * one bad run fails its own caller only.
 */
import { text } from '../check.ts'
import { explainDatabaseError } from '../db/connect.ts'
import { isConnectionLoss, type Queryable } from '../db/handle.ts'
import { enqueueRuns, enqueueSame, type Enqueued } from '../db/statements/runs.ts'
import { durationMs } from '../duration.ts'
import { DefinitionError, EnqueueError, StoreError, type Fault } from '../errors.ts'
import { storableText } from '../json.ts'
import { currentRun, traceOf } from '../tasks/current.ts'
import type { Registry } from '../tasks/registry.ts'
import type { Router } from '../tasks/route.ts'
import { attemptsOf, isTask, TASK_NAME, type Task } from '../tasks/task.ts'
import { optionFields, refuseOption, type EnqueueOptions } from './options.ts'

/** A run as it is asked for: the fields of POST /v1/runs, and the text of its input, which is made once. */
export interface RunBody {
  fields: Record<string, unknown> & { task: string }
  /** JSON text; undefined is {}. */
  input: string | undefined
}

/** What a rowbeat knows of its application when it makes the body of a run. */
export interface EnqueueRules {
  readonly tasks: Registry
  readonly router: Router | null
  /** What becomes of a run for a queue that nobody made or serves; default: it is taken. */
  readonly unknownQueue?: 'create' | 'refuse'
}

/**
 * Makes the body of a run, or throws EnqueueError with a fault for each wrong place. Nothing is written here. What the
 * body holds is a copy as of the call: an object that the caller goes on to change stays as it was when it was given.
 */
export async function buildBody(
  rules: EnqueueRules,
  target: Task | string,
  given: unknown,
  options?: EnqueueOptions,
): Promise<RunBody> {
  const known = isTask(target) ? target : rules.tasks.get(target)
  const name = isTask(target) ? target.name : target
  if (!known && !TASK_NAME.test(name)) {
    throw new DefinitionError(
      'RB_TASK_UNKNOWN',
      `"${name}" cannot be the name of a task: names match ${TASK_NAME.source}.`,
    )
  }
  const own = inherit(optionFields(options), options)
  const input = await checkInput(known, name, given)
  const parsed = (): unknown => JSON.parse(input ?? '{}')
  const fields = {
    task: name,
    ...(known && taskDefaults(known, parsed)),
    ...rules.router?.route(name, parsed, { ...options }),
    ...own,
  }
  checkTimeLimits(fields)
  if (known) addLimitKeys(fields, known, parsed)
  if (rules.unknownQueue === 'refuse') Object.assign(fields, { unknown_queue: 'refuse' })
  return { fields, input }
}

/** What a run hands on to those it asks for: itself as their parent, and its trace. */
function inherit(
  fields: Record<string, unknown> | undefined,
  options: EnqueueOptions | undefined,
): Record<string, unknown> | undefined {
  const context = currentRun()
  if (!context) return fields
  const inherited = { ...fields }
  if (options?.parent === undefined) inherited.parent = context.run.id
  const trace = traceOf(context)
  if (trace && (options?.headers as { traceparent?: unknown } | undefined)?.traceparent === undefined)
    inherited.headers = { ...(inherited.headers as object), ...trace }
  return inherited
}

/** Whose limits a run counts for, where the task has a function that says and the call says nothing. */
function addLimitKeys(fields: Record<string, unknown>, task: Task, input: () => unknown): void {
  for (const limit of ['concurrency', 'rate'] as const) {
    const rule = task.options[limit]
    if (typeof rule !== 'object' || !rule.key || fields[`${limit}_key`] !== undefined) continue
    fields[`${limit}_key`] = limitKey(task.name, limit, rule.key, input())
  }
}

function limitKey(task: string, limit: string, key: (input: any) => string, input: unknown): string {
  let value: unknown
  try {
    value = key(input)
  } catch (cause) {
    const words = (cause as Error)?.message ?? String(cause)
    refuseOption(
      `/${limit}_key`,
      `could not be computed: ${limit}.key of task ${task} threw: ${words}`,
      cause,
    )
  }
  const stored = storableText(value, '')
  const why = 'fault' in stored ? stored.fault.detail : explainKey(value)
  if (why) refuseOption(`/${limit}_key`, `${why}, and ${limit}.key of task ${task} answered something else`)
  return value as string
}

const explainKey = text(512)

/** Of the call and the task together: each alone was looked at where it was given. */
function checkTimeLimits({ time_limit: hard, soft_time_limit: soft }: Record<string, unknown>): void {
  if (typeof hard === 'number' && hard > 0 && typeof soft === 'number' && soft > hard)
    refuseOption('/soft_time_limit', `is ${soft} s, which is longer than the time limit of ${hard} s`)
}

/**
 * Answers the JSON text of an input, undefined when there is none. Throws RB_INPUT_INVALID, with a pointer for each fault,
 * unless it can be stored and the task accepts it as the worker will get it, that is, after it went through JSON.
 */
export async function checkInput(
  known: Task | undefined,
  name: string,
  given: unknown,
): Promise<string | undefined> {
  const stored = storableText(given, '/input')
  if ('fault' in stored) {
    const tooLarge = / larger than /.test(stored.fault.detail)
    refuseInput(name, [stored.fault], tooLarge ? 'RB_INPUT_TOO_LARGE' : 'RB_INPUT_INVALID')
  }
  const text = given === undefined ? undefined : stored.text
  if (!known?.input) return text
  const pending = known.input.check(text === undefined ? {} : JSON.parse(text))
  const checked = pending instanceof Promise ? await pending : pending
  if ('faults' in checked) refuseInput(name, checked.faults)
  return text
}

function refuseInput(name: string, faults: Fault[], code = 'RB_INPUT_INVALID'): never {
  const first = faults[0]!
  throw new EnqueueError(code, `input of ${name} is refused: ${first.pointer} ${first.detail}`, faults)
}

/** Only what differs from the defaults of SQL travels: most bodies are a task and its input. */
function taskDefaults({ options }: Task, input: () => unknown): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  if (options.queue && options.queue !== 'default') fields.queue = options.queue
  if (options.priority) fields.priority = options.priority
  const { attemptsMax } = options
  const attempts = attemptsOf(options, typeof attemptsMax === 'function' ? input() : undefined)
  if (attempts !== 1) fields.attempts_max = attempts
  if (options.timeLimit !== undefined) fields.time_limit = durationMs(options.timeLimit, 'timeLimit') / 1000
  if (options.softTimeLimit !== undefined)
    fields.soft_time_limit = durationMs(options.softTimeLimit, 'softTimeLimit') / 1000
  if (options.ignoreResult) fields.ignore_result = true
  return fields
}

/** The two statements that enqueue: any bodies, and those that differ only in their input. */
export interface Sending<Sent> {
  any(db: Queryable, texts: string): Promise<Sent[]>
  same(db: Queryable, fields: string, inputs: string, bodies: readonly RunBody[]): Promise<Sent[]>
}

const PLAIN: Sending<Enqueued> = { any: enqueueRuns, same: enqueueSame }

/** Sends bodies in the handle's transaction; Postgres's refusals come back as EnqueueError. */
export function sendBodies(db: Queryable, bodies: readonly RunBody[]): Promise<Enqueued[]> {
  return send(db, bodies, PLAIN)
}

/** Sends them by the one statement of the two that fits; Postgres's refusals come back as EnqueueError. */
export async function send<Sent>(
  db: Queryable,
  bodies: readonly RunBody[],
  { any, same }: Sending<Sent>,
): Promise<Sent[]> {
  try {
    const fields = bodies.length > 1 ? sharedFields(bodies) : null
    if (fields === null) return await any(db, `[${bodies.map(toText).join(',')}]`)
    return await same(db, fields, `[${bodies.map(({ input }) => input ?? '{}').join(',')}]`, bodies)
  } catch (error) {
    const explained = explainRefusal(error)
    const at = (error as { detail?: string }).detail ?? ''
    throw bodies.length > 1 && /^\d+$/.test(at) ? refusedAt(explained, Number(at)) : explained
  }
}

/** JSON text of the fields that all bodies have in common; null when they differ, or bring ids or keys of their own. */
function sharedFields([first, ...others]: readonly RunBody[]): string | null {
  const { id, unique_key: key, idempotency_key: again } = first!.fields
  if (id !== undefined || key !== undefined || again !== undefined) return null
  const text = JSON.stringify(first!.fields)
  return others.every(({ fields }) => JSON.stringify(fields) === text) ? text : null
}

function toText({ fields, input }: RunBody): string {
  const text = JSON.stringify(fields)
  return input === undefined ? text : `${text.slice(0, -1)},"input":${input}}`
}

/** The refusal of one of many, with its index in message and pointers. */
export function refusedAt(error: unknown, index: number): unknown {
  if (!(error instanceof EnqueueError)) return error
  const faults = error.faults.map(({ pointer, detail }) => ({ pointer: `/${index}${pointer}`, detail }))
  return new EnqueueError(error.code, `runs[${index}]: ${error.message}`, faults, { cause: error.cause })
}

/** What PostgreSQL says of a run that it refuses, as EnqueueError. */
export function explainRefusal(error: unknown): unknown {
  const { code, message } = error as { code?: string; message: string }
  const match = /^([a-z_]+): (.*)$/s.exec(message ?? '')
  const faults = match ? [{ pointer: `/${match[1]}`, detail: match[2]! }] : []
  if (code === '22023' && match?.[1] === 'queue' && !match[2]!.startsWith('must '))
    return new EnqueueError('RB_QUEUE_UNKNOWN', message, faults, { cause: error })
  switch (code) {
    case '22023':
    case '22P02':
    case '22007':
      return new EnqueueError('RB_OPTION_INVALID', message, faults, { cause: error })
    case '22P05':
      return new EnqueueError(
        'RB_INPUT_INVALID',
        'a text has the character U+0000, which PostgreSQL cannot store; remove it',
        faults,
        { cause: error },
      )
    case '54000':
    case '54001':
      return new EnqueueError('RB_INPUT_TOO_LARGE', message, faults, { cause: error })
    case '23505':
      return new EnqueueError('RB_RUN_DUPLICATE', message, faults, { cause: error })
    case '3F000':
    case '42883':
      return new StoreError(
        'RB_SCHEMA_BEHIND',
        'The database lacks the tables and functions of this release: run `rowbeat migrate`.',
        { cause: error },
      )
    default:
      return explainDatabaseError(error)
  }
}

interface Waiting<Sent> {
  body: RunBody
  resolve(sent: Sent): void
  reject(error: unknown): void
}

/** Runs in one statement at most; and statements on their way at once. */
const BATCH_MAX = 1000
const FLIGHTS_MAX = 2

/** How a batch is sent. */
type Send<Sent> = (bodies: readonly RunBody[]) => Promise<Sent[]>

/** Gathers concurrent calls into one statement each time the last one came back. */
export function createCoalescer<Sent>(send: Send<Sent>): (body: RunBody) => Promise<Sent> {
  let waiting: Waiting<Sent>[] = []
  let flights = 0
  let armed = false

  const fly = async (): Promise<void> => {
    armed = false
    while (waiting.length > 0 && flights < FLIGHTS_MAX) {
      const batch = waiting.slice(0, BATCH_MAX)
      waiting = waiting.slice(BATCH_MAX)
      flights++
      void carry(send, batch).finally(() => {
        flights--
        if (waiting.length > 0 && !armed) {
          armed = true
          setImmediate(fly)
        }
      })
    }
  }

  return (body) =>
    new Promise((resolve, reject) => {
      waiting.push({ body, resolve, reject })
      if (armed || flights >= FLIGHTS_MAX) return
      armed = true
      setImmediate(fly)
    })
}

async function carry<Sent>(send: Send<Sent>, batch: Waiting<Sent>[]): Promise<void> {
  try {
    const sent = await send(batch.map((item) => item.body))
    batch.forEach((item, i) => item.resolve(sent[i]!))
  } catch (error) {
    // Nothing of the batch was written, unless the connection went away with the answer: then nobody can know.
    if (batch.length === 1 || isConnectionLoss((error as Error).cause ?? error))
      return batch.forEach((item) => item.reject(error))
    const half = batch.length >> 1
    await carry(send, batch.slice(0, half))
    await carry(send, batch.slice(half))
  }
}
