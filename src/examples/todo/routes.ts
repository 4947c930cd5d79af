/**
 * A to-do list as an API, as lesson 14 of a Django REST framework course builds it: tasks with owners, JWT,
 * filters, pages, throttling, and a log line that a worker writes. `createTask` is what it is about here: the
 * task and the run that logs it are one transaction.
 */
import { desc, eq } from 'drizzle-orm'
import type { PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Rowbeat } from '../../index.ts'
import type { PasswordKeeper } from '../users/password.ts'
import { users } from '../users/schema.ts'
import { ApiRefusal, refuseFaults, refuseOtherMethods, speakLikeDjango } from '../web/api-refusal.ts'
import { readFields } from '../web/fields.ts'
import { originOf, PUBLIC, sendPage } from '../web/layout.ts'
import { createDoorkeeper, type Rates } from './access.ts'
import { listTasks, showTask, type Query, type ShownTask } from './listing.ts'
import { todoPage } from './page.ts'
import { connectReceivers } from './receivers.ts'
import { taskLog, tasks } from './schema.ts'
import { createSignals, type Signals, type TaskRow, type TaskSignals, type Transaction } from './signals.ts'
import { logCreated } from './tasks.ts'
import { tokenRoutes } from './token-routes.ts'
import type { Tokens } from './tokens.ts'

export interface TodoOptions {
  db: PostgresJsDatabase
  rowbeat: Rowbeat
  passwords: PasswordKeeper
  tokens: Tokens
  rates: Rates
}

type TaskValues = Partial<Pick<TaskRow, 'title' | 'description' | 'completed'>>
type TaskRequest = FastifyRequest<{ Params: { id: string } }>

/** `db` may be a transaction of the caller's: then all of it is part of that. */
export async function createTask(
  db: Pick<PostgresJsDatabase, 'transaction'>,
  rowbeat: Rowbeat,
  values: TaskValues & { title: string; ownerId: number },
): Promise<TaskRow> {
  return await db.transaction(async (tx) => {
    const [task] = await tx.insert(tasks).values(values).returning()
    await rowbeat.in(tx).enqueue(logCreated, { task_id: task!.id })
    return task!
  })
}

export async function todoRoutes(app: FastifyInstance, options: TodoOptions): Promise<void> {
  const { db } = options
  const signals = createSignals<TaskSignals>()
  connectReceivers(signals)
  app.get('/todo', PUBLIC, async (request, reply) => {
    const latest = await db
      .select({ task: tasks, owner: users.username })
      .from(tasks)
      .innerJoin(users, eq(users.id, tasks.ownerId))
      .orderBy(desc(tasks.id))
      .limit(10)
    const lines = await db.select().from(taskLog).orderBy(desc(taskLog.id)).limit(10)
    const shown = latest.map(({ task, owner }) => showTask(task, owner))
    return sendPage(reply, todoPage(shown, lines, originOf(request)))
  })
  await app.register(async (scope) => {
    speakLikeDjango(scope)
    tokenRoutes(scope, options)
    await scope.register(async (guarded) => taskRoutes(guarded, options, signals))
    // Django appends the slash that was forgotten, where nothing is written.
    scope.get('/tasks', PUBLIC, async ({ url }, reply) =>
      reply.redirect(url.replace('/tasks', '/tasks/'), 301),
    )
    scope.get('/tasks/:id', PUBLIC, async (request: TaskRequest, reply) =>
      reply.redirect(`/tasks/${encodeURIComponent(request.params.id)}/`, 301),
    )
  })
}

function taskRoutes(
  app: FastifyInstance,
  { db, rowbeat, tokens, rates }: TodoOptions,
  signals: Signals<TaskSignals>,
): void {
  const doorkeeper = createDoorkeeper(db, tokens, rates)
  for (const url of ['/tasks/', '/tasks/:id/'])
    refuseOtherMethods(app, url, url === '/tasks/' ? ['GET', 'POST'] : ['GET', 'PUT', 'PATCH', 'DELETE'])
  app.addHook('onRequest', doorkeeper.admit)

  app.get('/tasks/', PUBLIC, async (request) =>
    listTasks(db, request.query as Query, `${originOf(request)}/tasks/`),
  )

  app.post('/tasks/', PUBLIC, async (request, reply) => {
    const { id: ownerId, username } = doorkeeper.askerOf(request)
    const values = readTask(request.body, true)
    const task = await createTask(db, rowbeat, { ...values, title: values.title!, ownerId })
    return reply.code(201).send(showTask(task, username))
  })

  app.get('/tasks/:id/', PUBLIC, async (request: TaskRequest) => findTask(db, request.params.id))

  app.route({
    method: ['PUT', 'PATCH'],
    url: '/tasks/:id/',
    ...PUBLIC,
    handler: async (request): Promise<ShownTask> =>
      await db.transaction(async (tx) => {
        const before = await findOwn(tx, request as TaskRequest)
        const values = readTask(request.body, request.method === 'PUT')
        const [task] = await tx
          .update(tasks)
          .set({ ...values, updatedAt: new Date() })
          .where(eq(tasks.id, before.id))
          .returning()
        await signals.send('post_save', tx, { task: task!, before })
        return showTask(task!, doorkeeper.askerOf(request).username)
      }),
  })

  app.delete('/tasks/:id/', PUBLIC, async (request: TaskRequest, reply) => {
    await db.transaction(async (tx) => {
      const task = await findOwn(tx, request)
      await signals.send('pre_delete', tx, { task })
      await tx.delete(tasks).where(eq(tasks.id, task.id))
    })
    return reply.code(204).send()
  })

  /** Locked until the transaction ends: nobody changes it between the look and the deed. */
  async function findOwn(tx: Transaction, request: TaskRequest): Promise<TaskRow> {
    const [task] = await tx
      .select()
      .from(tasks)
      .where(eq(tasks.id, readId(request.params.id)))
      .for('update')
    if (!task) throw unknownTask()
    if (task.ownerId === doorkeeper.askerOf(request).id) return task
    throw new ApiRefusal(403, { detail: 'You do not have permission to perform this action.' })
  }
}

async function findTask(db: PostgresJsDatabase, id: string): Promise<ShownTask> {
  const [row] = await db
    .select({ task: tasks, owner: users.username })
    .from(tasks)
    .innerJoin(users, eq(users.id, tasks.ownerId))
    .where(eq(tasks.id, readId(id)))
  if (row) return showTask(row.task, row.owner)
  throw unknownTask()
}

function readId(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw unknownTask()
}

function unknownTask(): ApiRefusal {
  return new ApiRefusal(404, { detail: 'No Task matches the given query.' })
}

/** `isWhole`: a field that is required must be there. Throws ApiRefusal 400. */
function readTask(body: unknown, isWhole: boolean): TaskValues {
  const fields = readFields(body)
  const values = {
    title: fields.text('title', isWhole, { maxLength: 200 }),
    description: fields.text('description', false, { mayBeBlank: true, maxLength: 10_000 }),
    completed: fields.flag('completed'),
  }
  refuseFaults(fields.faults)
  return values
}
