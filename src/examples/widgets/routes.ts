/**
 * Widgets over HTTP: what is quick is done at once, what a worker is to do answers with the id of its run. The
 * queue of a run is nobody's business here, it is routed.
 */
import { asc, eq } from 'drizzle-orm'
import type { PostgresJsDatabase } from 'drizzle-orm/postgres-js'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Rowbeat, Run } from '../../index.ts'
import { users } from '../users/schema.ts'
import { PUBLIC, sendPage } from '../web/layout.ts'
import { prefersPage, Refusal } from '../web/refusal.ts'
import { widgetsPage, type WelcomedUser } from './page.ts'
import { widgets } from './schema.ts'
import { add, countWidgets, renameWidget } from './tasks.ts'

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i
const named = z.object({ name: z.string().trim().min(1).max(100) })
/** From a form numbers come as text. */
const numbers = z.object({ x: z.coerce.number(), y: z.coerce.number() })
const SHOWN = 100

export async function widgetRoutes(
  app: FastifyInstance,
  { db, rowbeat }: { db: PostgresJsDatabase; rowbeat: Rowbeat },
): Promise<void> {
  app.get('/widgets', PUBLIC, async (request, reply) => {
    const { id, name } = widgets
    const all = await db.select({ id, name }).from(widgets).orderBy(asc(id)).limit(SHOWN)
    if (!prefersPage(request)) return { items: all }
    const { run, user } = request.query as { run?: string; user?: string }
    return sendPage(reply, widgetsPage(all, await findRun(rowbeat, run), await findUser(db, user)))
  })

  app.post('/widgets', PUBLIC, async (request, reply) => {
    const values = read(named, request, '/name', 'A widget needs a name, as in {"name": "sprocket"}.')
    const [widget] = await db.insert(widgets).values(values).returning({ id: widgets.id, name: widgets.name })
    return prefersPage(request) ? reply.redirect('/widgets', 303) : reply.code(201).send(widget)
  })

  app.post('/widgets/add', PUBLIC, async (request, reply) => {
    const input = read(numbers, request, '/x', 'Give two numbers, as in {"x": 1, "y": 2}.')
    return answerRun(request, reply, (await rowbeat.enqueue(add, input)).id)
  })

  app.post('/widgets/count', PUBLIC, async (request, reply) =>
    answerRun(request, reply, (await rowbeat.enqueue(countWidgets, {})).id),
  )

  app.post('/widgets/:id/rename', PUBLIC, async (request, reply) => {
    const { id } = request.params as { id: string }
    if (!/^[1-9]\d{0,14}$/.test(id)) throw new Refusal(404, null, 'There is no such widget.')
    const { name } = read(named, request, '/name', 'A widget needs a name, as in {"name": "sprocket"}.')
    return answerRun(request, reply, (await rowbeat.enqueue(renameWidget, { id: Number(id), name })).id)
  })
}

function read<T>(schema: z.ZodType<T>, request: FastifyRequest, pointer: string, why: string): T {
  const { success, data } = schema.safeParse(request.body)
  // Postgres stores no NUL in text.
  if (success && !JSON.stringify(data).includes('\\u0000')) return data
  throw new Refusal(422, pointer, why)
}

function answerRun(request: FastifyRequest, reply: FastifyReply, runId: string): FastifyReply {
  const url = `/widgets?run=${runId}`
  if (prefersPage(request)) return reply.redirect(url, 303)
  return reply.code(202).header('location', url).send({ run_id: runId, url })
}

/** Only runs of widgets are shown here: the page is public, other runs are not. */
async function findRun(rowbeat: Rowbeat, id = ''): Promise<Run | null> {
  const run = UUID.test(id) ? await rowbeat.run(null, id).get() : null
  return run?.task.startsWith('widgets.') ? run : null
}

async function findUser(db: PostgresJsDatabase, id = ''): Promise<WelcomedUser | null> {
  if (!/^\d{1,15}$/.test(id)) return null
  const [user] = await db
    .select()
    .from(users)
    .where(eq(users.id, Number(id)))
  return user ? { email: user.email, isWelcomed: user.welcomedAt !== null } : null
}
