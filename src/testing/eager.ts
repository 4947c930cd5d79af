/**
 * A rowbeat without a queue: enqueue runs the task at once, here, and its handle has the outcome. It has the type of the
 * real one, so code under test need not know. What only a queue can do has no meaning: delays, uniqueness and limits are
 * checked and then passed over.
 */
import { ConfigError, DefinitionError } from '../errors.ts'
import type { DatabaseHandle } from '../db/handle.ts'
import { buildBody, refusedAt, type RunBody } from '../queue/enqueue.ts'
import type { EnqueueOptions } from '../queue/options.ts'
import { createRules, type Enqueuer, type Rowbeat, type RowbeatOptions } from '../queue/rowbeat.ts'
import { createRunHandle, type RunHandle } from '../results/handle.ts'
import { toRun, type Run } from '../results/run.ts'
import type { RetryOptions } from '../results/verbs.ts'
import { runHere, type Surroundings } from './here.ts'
import { createMemory } from './memory.ts'

export interface EagerOptions extends Pick<RowbeatOptions, 'tasks' | 'routes'>, Omit<Surroundings, 'signal'> {
  /** Whether enqueue throws what the handler threw; default false: the handle's `result()` tells, as in production. */
  propagate?: boolean
}

export interface EagerRowbeat extends Rowbeat {
  /** Every run so far, in the order they were asked for. */
  readonly runs: readonly Run[]
  /** Forgets them. */
  clear(): void
}

/** Throws ConfigError, DefinitionError. */
export function createEagerRowbeat(options: EagerOptions): EagerRowbeat {
  const { propagate = false, ...around } = options
  const rules = createRules(options)
  const memory = createMemory(async (id, more) => {
    const { task, input, queue, priority, tags, headers } = (await memory.reader.read(id))!
    const again = more && 'input' in more ? more.input : input
    return (await run(await buildBody(rules, task, again, { queue, priority, tags, headers }), options.db)).id
  })
  /** Idempotency keys by task. */
  const keys = new Map<string, string>()

  const run = async (
    body: RunBody,
    db: DatabaseHandle | undefined,
  ): Promise<{ id: string; created: boolean }> => {
    const { task: name, id, idempotency_key: key } = body.fields as Record<string, any>
    const task = rules.tasks.get(name)
    if (!task)
      throw new DefinitionError(
        'RB_TASK_UNKNOWN',
        `"${name}" cannot be run here: give its task to createEagerRowbeat({ tasks }).`,
      )
    const standing = memory.get(id ?? keys.get(`${name}:${key}`) ?? '')
    if (standing) return { id: standing.id, created: false }
    const ran = await runHere(task, lowerId(body), { ...around, db }, true)
    memory.add(ran.run)
    if (key) keys.set(`${name}:${key}`, ran.run.id)
    if (propagate && ran.run.state !== 'SUCCESS') {
      if (ran.thrown !== undefined) throw ran.thrown
      await createRunHandle(memory.reader, ran.run.id, true).result()
    }
    return { id: ran.run.id, created: true }
  }
  const enqueuer = (db: DatabaseHandle | undefined): Enqueuer => ({
    async enqueue(task, ...rest) {
      const [input, more] = rest as [unknown, EnqueueOptions | undefined]
      const { id, created } = await run(await buildBody(rules, task, input, more), db)
      return createRunHandle(memory.reader, id, created)
    },
    async enqueueMany(items) {
      const bodies = await Promise.all(
        items.map(({ task, input, ...more }, index) =>
          buildBody(rules, task, input, more).catch((error: unknown) => {
            throw refusedAt(error, index)
          }),
        ),
      )
      const handles: RunHandle[] = []
      for (const body of bodies) {
        const { id, created } = await run(body, db)
        handles.push(createRunHandle(memory.reader, id, created))
      }
      return handles as never
    },
    revoke: (target) => memory.reader.revoke(idOf(target)),
    async retry<Result>(target: string | RunHandle<Result>, more?: RetryOptions) {
      return createRunHandle<Result>(memory.reader, await memory.reader.retry(idOf(target), more), true)
    },
    reschedule: (target, time) => memory.reader.reschedule(idOf(target), time),
    operate: refuseOperation,
  })

  return Object.freeze({
    ...enqueuer(options.db),
    in: (handle: DatabaseHandle) => enqueuer(handle),
    run: (_task: unknown, id: string) => createRunHandle<any>(memory.reader, id, false),
    operation: refuseOperation,
    prepare: (task: any, input?: unknown, more?: EnqueueOptions) => buildBody(rules, task, input, more),
    async send(bodies: readonly RunBody[]) {
      const sent: { id: string; created: boolean }[] = []
      for (const body of bodies) sent.push(await run(body, options.db))
      return sent
    },
    tasks: rules.tasks,
    router: rules.router,
    get db(): DatabaseHandle {
      if (options.db) return options.db
      throw new ConfigError(
        'createEagerRowbeat has no database: give it one ({ db }), or use createRowbeat and drain.',
      )
    },
    get runs() {
      return memory.all().map((document) => toRun(document))
    },
    clear() {
      memory.clear()
      keys.clear()
    },
    async close() {},
  })
}

const idOf = (run: string | RunHandle<any>): string => (typeof run === 'string' ? run : run.id)

function refuseOperation(): never {
  throw new ConfigError('createEagerRowbeat has no runs that wait, so there are no operations on them.')
}

function lowerId({ fields, input }: RunBody): RunBody {
  const id = fields.id as string | undefined
  return id ? { fields: { ...fields, id: id.toLowerCase() }, input } : { fields, input }
}
