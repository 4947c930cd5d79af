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
import { PUBLIC, sendPage, serveAssets } from './web/layout.ts'
import { answerError } from './web/refusal.ts'

export interface ExampleOptions {
  rowbeat: Rowbeat
  databaseUrl: string
}

/** Makes the examples' tables and mounts their pages. The connection closes with the app. */
export async function routes(app: FastifyInstance, { rowbeat, databaseUrl }: ExampleOptions): Promise<void> {
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
    const db = drizzle({ client: sql })

    scope.setErrorHandler(answerError)
    acceptForms(scope)
    serveAssets(scope)
    scope.get('/', PUBLIC, async (request, reply) => sendPage(reply, frontPage(originOf(request))))
    await scope.register(bookRoutes, { db, rowbeat })
    await scope.register(orderRoutes, { db, rowbeat })
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

function originOf({ protocol, host }: { protocol: string; host: string }): string {
  return `${protocol}://${host || 'localhost'}`
}
