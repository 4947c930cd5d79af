/**
 * createRowbeat: the one place where tasks meet a database. A frozen record of bound functions, no global, no import
 * order. `in(handle)` gives the same verbs inside a transaction of yours, so no verb needs a twin.
 */
import { connect } from '../db/connect.ts'
import { driverOf, toQueryable, type DatabaseHandle } from '../db/handle.ts'
import { ConfigError } from '../errors.ts'
import { createRunHandle, createRunReader, type RunHandle } from '../results/handle.ts'
import { revoke, type RevokeOptions } from '../results/revoke.ts'
import type { RunState } from '../results/run.ts'
import type { RescheduleTime, RetryOptions } from '../results/verbs.ts'
import { createRegistry, type Registry, type TaskTree } from '../tasks/registry.ts'
import { createRouter, type Router, type Routes } from '../tasks/route.ts'
import type { ArgumentsOf, InputOf, OutputOf, Task } from '../tasks/task.ts'
import {
  buildBody,
  createCoalescer,
  refusedAt,
  sendBodies,
  type EnqueueRules,
  type RunBody,
} from './enqueue.ts'
import {
  beginOperation,
  createOperationHandle,
  toFields,
  type OperationFilter,
  type OperationHandle,
  type OperationKind,
  type OperationOptions,
} from './operation.ts'
import type { EnqueueOptions } from './options.ts'
import { reschedule, retry } from './retry.ts'

export interface RowbeatOptions {
  /** drizzle db (postgres-js or node-postgres), postgres.js sql, or node-postgres Pool. */
  db?: DatabaseHandle
  /** Instead of `db`: Rowbeat opens its own connections and closes them in `close()`. */
  databaseUrl?: string
  /** Tasks known by name: their input is checked also when enqueued by name. */
  tasks?: TaskTree
  /** Connections at most when `databaseUrl` is given; default 4. */
  connections?: number
  prepare?: boolean
  /** Shown in pg_stat_activity as `rowbeat <role>` when `databaseUrl` is given; default `client`. */
  role?: string
  /** Queue and priority by the task's name: before what the task itself says, after what the call says. */
  routes?: Routes
  /** What becomes of a run for a queue that has no row in rowbeat.queues: it is taken (default), or EnqueueError RB_QUEUE_UNKNOWN. */
  unknownQueue?: 'create' | 'refuse'
}

/** One of many: a task or its name, its input, and the options of enqueue. */
export type EnqueueItem<T = Task<any, any, any> | string> = { task: T } & EnqueueOptions &
  (undefined extends InputOf<T>
    ? { input?: InputOf<T> }
    : unknown extends InputOf<T>
      ? { input?: unknown }
      : { input: InputOf<T> })

/** The verbs that write, bound to a database or to a transaction of yours. */
export interface Enqueuer {
  /** Enqueues one run and answers its handle; the id exists before commit. Throws EnqueueError, and then nothing was written. */
  enqueue<T extends Task<any, any, any> | string>(
    task: T,
    ...rest: ArgumentsOf<T, EnqueueOptions>
  ): Promise<RunHandle<OutputOf<T>>>
  /** Enqueues many in one statement, all or none; handles in order. */
  enqueueMany<const Tasks extends readonly (Task<any, any, any> | string)[]>(
    items: readonly [...{ [K in keyof Tasks]: EnqueueItem<Tasks[K]> }],
  ): Promise<{ -readonly [K in keyof Tasks]: RunHandle<OutputOf<Tasks[K]>> }>
  /** Revokes a run and answers its state after: REVOKED at once while it waits, told to stop while it runs. Throws ResultError RB_RUN_NOT_FOUND. */
  revoke(run: string | RunHandle, options?: RevokeOptions): Promise<RunState>
  /** Repeats a finished run and answers the new one; releases a parked run now, and answers that. Throws ResultError RB_RUN_NOT_FOUND, RB_RUN_STATE. */
  retry<Result = unknown>(run: string | RunHandle<Result>, options?: RetryOptions): Promise<RunHandle<Result>>
  /** Moves a run that waits to another time. Throws ResultError RB_RUN_NOT_FOUND, RB_RUN_STATE. */
  reschedule(run: string | RunHandle, time: RescheduleTime): Promise<RunState>
  /** Begins to do this to all runs that match; workers do it. Throws OperationError RB_OPERATION_INVALID. */
  operate(kind: OperationKind, filter: OperationFilter, options?: OperationOptions): Promise<OperationHandle>
}

export interface Rowbeat extends Enqueuer {
  /** The same verbs inside your transaction: drizzle tx or savepoint, postgres.js tx, node-postgres client. */
  in(handle: DatabaseHandle): Enqueuer
  /** The handle of a run that exists; pass its task to type the result. */
  run<T extends Task<any, any, any> | null>(task: T, id: string): RunHandle<OutputOf<T>>
  /** The handle of an operation that was begun. */
  operation(id: string): OperationHandle
  /** The body that `enqueue` would send: checked, routed, nothing written. */
  prepare(task: Task | string, input?: unknown, options?: EnqueueOptions): Promise<RunBody>
  /** Bodies as REST takes them, unchecked inputs included: for those who have bodies already. */
  send(bodies: readonly RunBody[]): Promise<{ id: string; created: boolean }[]>
  readonly tasks: Registry
  /** What `routes` became; null when none were given. */
  readonly router: Router | null
  readonly db: DatabaseHandle
  /** Stops listening and closes the connections that `databaseUrl` opened. */
  close(): Promise<void>
}

/** Throws ConfigError, DefinitionError (RB_TASK_DUPLICATE). */
export function createRules({
  tasks,
  routes,
  unknownQueue,
}: Pick<RowbeatOptions, 'tasks' | 'routes' | 'unknownQueue'>): EnqueueRules {
  if (unknownQueue !== undefined && unknownQueue !== 'create' && unknownQueue !== 'refuse')
    throw new ConfigError(
      `createRowbeat: unknownQueue is ${JSON.stringify(unknownQueue)}; give 'create' or 'refuse'.`,
    )
  return { tasks: createRegistry(tasks), router: routes ? createRouter(routes) : null, unknownQueue }
}

/** Makes the rowbeat object; opens no connection until it is used. Throws ConfigError, DefinitionError (RB_TASK_DUPLICATE). */
export function createRowbeat(options: RowbeatOptions): Rowbeat {
  if (!options.db === !options.databaseUrl)
    throw new ConfigError('createRowbeat: give either db (a handle you have) or databaseUrl.')
  const rules = createRules(options)
  const own = options.databaseUrl
    ? connect({
        url: options.databaseUrl,
        role: options.role ?? 'client',
        max: options.connections ?? 4,
        prepare: options.prepare,
      })
    : null
  const db: DatabaseHandle = own ?? options.db!
  const base = toQueryable(db)
  const reader = createRunReader(db, {
    retry: (id, retryOptions) => retry(base, rules.tasks, id, retryOptions),
    reschedule: (id, time) => reschedule(base, id, time),
  })
  const coalesce = createCoalescer((bodies) => sendBodies(base, bodies))

  const enqueuer = (
    send: (body: RunBody) => Promise<{ id: string; created: boolean }>,
    handle: DatabaseHandle,
  ): Enqueuer => ({
    async enqueue(task, ...rest) {
      const [input, more] = rest as [unknown, EnqueueOptions | undefined]
      const { id, created } = await send(await buildBody(rules, task, input, more))
      return createRunHandle(reader, id, created)
    },
    async enqueueMany(items) {
      const bodies = await Promise.all(
        items.map(({ task, input, ...more }, index) =>
          buildBody(rules, task, input, more).catch((error: unknown) => {
            throw refusedAt(error, index)
          }),
        ),
      )
      const sent = bodies.length === 0 ? [] : await sendBodies(toQueryable(handle), bodies)
      return sent.map(({ id, created }) => createRunHandle(reader, id, created)) as never
    },
    revoke: (run, revokeOptions) => revoke(toQueryable(handle), idOf(run), revokeOptions),
    async retry<Result>(run: string | RunHandle<Result>, retryOptions?: RetryOptions) {
      const id = await retry(toQueryable(handle), rules.tasks, idOf(run), retryOptions)
      return createRunHandle<Result>(reader, id, id !== idOf(run))
    },
    reschedule: (run, time) => reschedule(toQueryable(handle), idOf(run), time),
    async operate(kind, filter, operationOptions = {}) {
      const given = [toFields(filter), toFields(operationOptions)] as const
      return createOperationHandle(base, await beginOperation(toQueryable(handle), kind, ...given))
    },
  })

  return Object.freeze({
    ...enqueuer(coalesce, db),
    in(handle: DatabaseHandle) {
      driverOf(handle)
      return enqueuer(async (body) => (await sendBodies(toQueryable(handle), [body]))[0]!, handle)
    },
    run: <T extends Task<any, any, any> | null>(_task: T, id: string) =>
      createRunHandle<OutputOf<T>>(reader, id, false),
    operation: (id: string) => createOperationHandle(base, id),
    prepare: (task: Task | string, input?: unknown, more?: EnqueueOptions) =>
      buildBody(rules, task, input, more),
    send: async (bodies: readonly RunBody[]) =>
      bodies.length === 1 ? [await coalesce(bodies[0]!)] : await sendBodies(base, bodies),
    tasks: rules.tasks,
    router: rules.router,
    db,
    async close() {
      await reader.close()
      await own?.end({ timeout: 5 })
    },
  })
}

const idOf = (run: string | RunHandle<any>): string => (typeof run === 'string' ? run : run.id).toLowerCase()
