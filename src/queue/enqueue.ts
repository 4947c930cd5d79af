/**
 * Enqueue: a task, its input and options become one body of POST /v1/runs, checked before anything is written.
 *
 * Outside a caller's transaction, concurrent calls are gathered: while one statement is on its way, what arrives
 * meanwhile is the next batch, and each caller is answered after its batch committed. One commit for sixteen callers
 * is what makes one-by-one enqueue many times as fast as add_job. A batch that Postgres refuses is split, so that
 * one bad run fails its own caller only.
 */
import { explainDatabaseError } from '../db/connect.ts'
import { isConnectionLoss, type Queryable } from '../db/handle.ts'
import { enqueueRuns, enqueueSame, type Enqueued } from '../db/statements/runs.ts'
import { durationMs, parseDuration, type Duration } from '../duration.ts'
import { DefinitionError, EnqueueError, StoreError, type Fault } from '../errors.ts'
import { isInstant } from '../instant.ts'
import { storableText } from '../json.ts'
import { explainRetryPolicy, storePolicy, type RetryPolicy } from '../tasks/retry.ts'
import type { Registry } from '../tasks/registry.ts'
import { attemptsOf, isTask, TASK_NAME, type Task } from '../tasks/task.ts'

export interface EnqueueOptions {
  queue?: string
  /** -32768 to 32767, lower runs first. */
  priority?: number
  /** Not before this long from now. */
  delay?: Duration
  /** Not before this instant. */
  eta?: Date | string
  /** Not after this instant, or this long from now. */
  expires?: Date | string | Duration
  /** A UUID of your own; a second enqueue with it answers the first run. */
  id?: string
  /** Held against a second run of the task while this one has not finished; <= 512 characters. */
  uniqueKey?: string
  /** What to do when the key is held: answer the standing run (default), replace it while it waits, or throw. */
  onConflict?: 'keep' | 'replace' | 'reject'
  /** <= 20 labels of <= 64 characters. */
  tags?: readonly string[]
  headers?: Readonly<Record<string, unknown>>
  attemptsMax?: number
  /** Instead of the task's policy; it is stored, so functions have no place in it. */
  retry?: Omit<RetryPolicy, 'when' | 'backoff'> & { backoff?: Exclude<RetryPolicy['backoff'], Function> }
  timeLimit?: Duration
  softTimeLimit?: Duration
  ignoreResult?: boolean
  retention?: Duration
  /** The run that asks for this one. */
  parent?: string
}

/** A run as it is asked for: the fields of POST /v1/runs, and the text of its input, which is made once. */
export interface RunBody {
  fields: Record<string, unknown> & { task: string }
  /** JSON text; undefined is {}. */
  input: string | undefined
}

const OPTION_KEYS: Record<keyof EnqueueOptions, string> = {
  queue: 'queue',
  priority: 'priority',
  delay: 'delay',
  eta: 'eta',
  expires: 'expires',
  id: 'id',
  uniqueKey: 'unique_key',
  onConflict: 'on_conflict',
  tags: 'tags',
  headers: 'headers',
  attemptsMax: 'attempts_max',
  retry: 'retry',
  timeLimit: 'time_limit',
  softTimeLimit: 'soft_time_limit',
  ignoreResult: 'ignore_result',
  retention: 'retention',
  parent: 'parent',
}

/**
 * Makes the body of a run, or throws EnqueueError with a fault for each wrong place. Nothing is written here. What the
 * body holds is a copy as of the call: an object that the caller goes on to change stays as it was when it was given.
 */
export async function buildBody(
  tasks: Registry,
  target: Task | string,
  given: unknown,
  options?: EnqueueOptions,
): Promise<RunBody> {
  const known = isTask(target) ? target : tasks.get(target)
  const name = isTask(target) ? target.name : target
  if (!known && !TASK_NAME.test(name)) {
    throw new DefinitionError(
      'RB_TASK_UNKNOWN',
      `"${name}" cannot be the name of a task: names match ${TASK_NAME.source}.`,
    )
  }
  const fields = optionFields(options)
  const input = await checkInput(known, name, given)
  if (!known) return { fields: { task: name, ...fields }, input }
  return { fields: { task: name, ...taskDefaults(known, input), ...fields }, input }
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
function taskDefaults({ options }: Task, input: string | undefined): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  if (options.queue && options.queue !== 'default') fields.queue = options.queue
  if (options.priority) fields.priority = options.priority
  const { attemptsMax } = options
  const attempts = attemptsOf(
    options,
    typeof attemptsMax === 'function' ? JSON.parse(input ?? '{}') : undefined,
  )
  if (attempts !== 1) fields.attempts_max = attempts
  if (options.timeLimit !== undefined) fields.time_limit = durationMs(options.timeLimit, 'timeLimit') / 1000
  if (options.softTimeLimit !== undefined)
    fields.soft_time_limit = durationMs(options.softTimeLimit, 'softTimeLimit') / 1000
  if (options.ignoreResult) fields.ignore_result = true
  return fields
}

function optionFields(options: EnqueueOptions | undefined): Record<string, unknown> | undefined {
  if (!options) return undefined
  const fields: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(options)) {
    const field = Object.hasOwn(OPTION_KEYS, key) ? OPTION_KEYS[key as keyof EnqueueOptions] : undefined
    if (!field)
      refuseOption(`/${key}`, `is no option of enqueue; known are ${Object.keys(OPTION_KEYS).join(', ')}`)
    if (value === undefined || value === null) continue
    const checked = storableText(value, `/${field}`)
    if (key !== 'retry' && 'fault' in checked) refuseOption(checked.fault.pointer, checked.fault.detail)
    const copied = optionValue(key as keyof EnqueueOptions, value)
    fields[field] = typeof copied === 'object' ? JSON.parse(JSON.stringify(copied)) : copied
  }
  return fields
}

function optionValue(key: keyof EnqueueOptions, value: any): unknown {
  switch (key) {
    case 'eta':
      return instant(value, '/eta')
    case 'expires':
      return value instanceof Date || parseDuration(value) === null
        ? instant(value, '/expires')
        : seconds(value, '/expires')
    case 'delay':
    case 'timeLimit':
    case 'softTimeLimit':
    case 'retention':
      return seconds(value, `/${OPTION_KEYS[key]}`)
    case 'retry': {
      const why = explainRetryPolicy(value)
      if (why) refuseOption('/retry', why)
      if (value.when || typeof value.backoff === 'function')
        refuseOption('/retry', 'has a function, which cannot be stored; put it in the task')
      return storePolicy(value)
    }
    default:
      return value
  }
}

function seconds(value: unknown, pointer: string): number {
  const ms = parseDuration(value)
  return ms === null
    ? refuseOption(pointer, `is ${JSON.stringify(value)}; give seconds, or text such as "30s"`)
    : ms / 1000
}

function instant(value: unknown, pointer: string): string {
  if (value instanceof Date) return value.toISOString()
  return isInstant(value)
    ? value
    : refuseOption(pointer, 'must be a Date or an instant such as "2026-01-31T12:00:00Z"')
}

function refuseOption(pointer: string, detail: string): never {
  throw new EnqueueError('RB_OPTION_INVALID', `${pointer} ${detail}`, [{ pointer, detail }])
}

/** Sends bodies in the handle's transaction; Postgres's refusals come back as EnqueueError. */
export async function sendBodies(db: Queryable, bodies: readonly RunBody[]): Promise<Enqueued[]> {
  try {
    const fields = bodies.length > 1 ? sharedFields(bodies) : null
    if (fields === null) return await enqueueRuns(db, `[${bodies.map(toText).join(',')}]`)
    return await enqueueSame(db, fields, `[${bodies.map(({ input }) => input ?? '{}').join(',')}]`)
  } catch (error) {
    const explained = explainRefusal(error)
    const at = (error as { detail?: string }).detail ?? ''
    throw bodies.length > 1 && /^\d+$/.test(at) ? refusedAt(explained, Number(at)) : explained
  }
}

/** JSON text of the fields that all bodies have in common; null when they differ, or bring ids or keys of their own. */
function sharedFields([first, ...others]: readonly RunBody[]): string | null {
  const { id, unique_key: key } = first!.fields
  if (id !== undefined || key !== undefined) return null
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

interface Waiting {
  body: RunBody
  resolve(enqueued: Enqueued): void
  reject(error: unknown): void
}

/** Runs in one statement at most; and statements on their way at once. */
const BATCH_MAX = 1000
const FLIGHTS_MAX = 2

/** Gathers concurrent calls into one statement each time the last one came back. */
export function createCoalescer(db: Queryable): (body: RunBody) => Promise<Enqueued> {
  let waiting: Waiting[] = []
  let flights = 0
  let armed = false

  const fly = async (): Promise<void> => {
    armed = false
    while (waiting.length > 0 && flights < FLIGHTS_MAX) {
      const batch = waiting.slice(0, BATCH_MAX)
      waiting = waiting.slice(BATCH_MAX)
      flights++
      void send(db, batch).finally(() => {
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

async function send(db: Queryable, batch: Waiting[]): Promise<void> {
  try {
    const enqueued = await sendBodies(
      db,
      batch.map((item) => item.body),
    )
    batch.forEach((item, i) => item.resolve(enqueued[i]!))
  } catch (error) {
    // Nothing of the batch was written, unless the connection went away with the answer: then nobody can know.
    if (batch.length === 1 || isConnectionLoss((error as Error).cause ?? error))
      return batch.forEach((item) => item.reject(error))
    const half = batch.length >> 1
    await send(db, batch.slice(0, half))
    await send(db, batch.slice(half))
  }
}
