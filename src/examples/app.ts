/**
 * The example apps as one Fastify plugin, mounted beside the REST API by `npm start` (ROWBEAT_APP). They use
 * Rowbeat as any app would: the public surface and a database connection of their own, with drizzle on it.
 */
import { drizzle } from 'drizzle-orm/postgres-js'
import type { FastifyInstance } from 'fastify'
import postgres from 'postgres'
import type { Rowbeat } from '../index.ts'
import { bookRoutes } from './books/routes.ts'
import * as bookTables from './books/schema.ts'
import { frontPage } from './front.ts'
import { orderRoutes } from './orders/routes.ts'
import * as orderTables from './orders/schema.ts'
import { readRates } from './todo/access.ts'
import { todoRoutes } from './todo/routes.ts'
import * as todoTables from './todo/schema.ts'
import { createTokens, findSecret } from './todo/tokens.ts'
import { createPasswordKeeper } from './users/password.ts'
import { userRoutes } from './users/routes.ts'
import * as userTables from './users/schema.ts'
import { originOf, PUBLIC, sendPage, serveAssets } from './web/layout.ts'
import { answerError } from './web/refusal.ts'
import { widgetRoutes } from './widgets/routes.ts'
import * as widgetTables from './widgets/schema.ts'

export interface ExampleOptions {
  rowbeat: Rowbeat
  databaseUrl: string
}

/** Makes the examples' tables and mounts their pages. The connection closes with the app. */
export async function routes(app: FastifyInstance, { rowbeat, databaseUrl }: ExampleOptions): Promise<void> {
  const rates = readRates()
  await app.register(async (scope) => {
    const sql = postgres(databaseUrl, {
      max: 4,
      prepare: false,
      onnotice: () => {},
      connection: { application_name: 'rowbeat examples' },
    })
    scope.addHook('onClose', async () => await sql.end({ timeout: 5 }))
    await bookTables.prepare(sql)
    await orderTables.prepare(sql)
    await userTables.prepare(sql)
    await widgetTables.prepare(sql)
    await todoTables.prepare(sql)
    const tokens = createTokens(await findSecret(sql))
    const db = drizzle({ client: sql })
    const passwords = createPasswordKeeper()

    scope.setErrorHandler(answerError)
    acceptForms(scope)
    serveAssets(scope)
    scope.get('/', PUBLIC, async (request, reply) => sendPage(reply, frontPage(originOf(request))))
    await scope.register(bookRoutes, { db, rowbeat })
    await scope.register(orderRoutes, { db, rowbeat })
    await scope.register(widgetRoutes, { db, rowbeat })
    await scope.register(userRoutes, { db, rowbeat, passwords })
    await scope.register(todoRoutes, { db, rowbeat, passwords, tokens, rates })
  })
}

/** What an HTML form posts; Fastify reads JSON by itself. */
function acceptForms(scope: FastifyInstance): void {
  scope.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: 10_000 },
    async (_: unknown, body: string) => Object.fromEntries(new URLSearchParams(body)),
  )
}
