/**
 * What the tests of the API share: a server of its own on a database of its own, keys, and two ways to call it.
 * `call` goes through Fastify's inject; `listen` opens a real socket.
 */
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import { pino } from 'pino'
import { z } from 'zod'
import type { ApiOptions } from '../../src/api/plugin.ts'
import { createServer } from '../../src/api/server.ts'
import { issueKey } from '../../src/auth/key.ts'
import { createRowbeat, task, type Rowbeat } from '../../src/index.ts'
import { setup, type Bundle } from '../helpers/bundle.ts'

export const add = task(
  'demo.add',
  { input: z.object({ x: z.number(), y: z.number() }) },
  ({ x, y }) => x + y,
)
export const echo = task('demo.echo', {}, (input: unknown) => input)
export const countdown = task(
  'demo.countdown',
  { input: z.object({ steps: z.number() }) },
  async ({ steps }, { progress }) => {
    for (let step = 1; step <= steps; step++) {
      progress(step, steps)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    return 'done'
  },
)
export const TASKS = [add, echo, countdown]

export interface World extends Bundle {
  app: FastifyInstance
  rowbeat: Rowbeat
  /** A key with every scope. */
  key: string
  /** JSON lines of the log. */
  said: Record<string, unknown>[]
  call(method: InjectOptions['method'], path: string, body?: unknown, options?: CallOptions): Promise<Answer>
  /** Listens on a free port and answers the base address. */
  listen(): Promise<string>
  issue(scopes: string[], expiresAt?: string): Promise<{ id: string; key: string }>
}

export interface CallOptions {
  /** null: no key. */
  key?: string | null
  headers?: Record<string, string>
}

export interface Answer {
  status: number
  headers: LightMyRequestResponse['headers']
  text: string
  json: any
}

type Owner = Parameters<typeof setup>[0]

export async function serve(
  t: Owner,
  options: Partial<Omit<ApiOptions, 'prepare'>> & {
    requestTimeoutMs?: number
    /** Before the routes are registered. */
    prepare?: (app: FastifyInstance) => void
  } = {},
): Promise<World> {
  const bundle = await setup(t)
  const rowbeat = options.rowbeat ?? createRowbeat({ db: bundle.sql, tasks: TASKS })
  const said: Record<string, unknown>[] = []
  const logger = pino(
    { level: 'debug' },
    { write: (line: string) => void said.push(JSON.parse(line) as Record<string, unknown>) },
  )
  const { prepare, ...rest } = options
  const app = createServer({ version: '1.2.3', ...rest, rowbeat, logger })
  prepare?.(app)
  t.teardown(async () => {
    await app.close()
    await rowbeat.close()
  })
  await app.ready()
  const issue = async (scopes: string[], expiresAt?: string): Promise<{ id: string; key: string }> =>
    await issueKey(bundle.db, { name: 'a test', scopes, expiresAt })
  const { key } = await issue(['*'])
  return {
    ...bundle,
    app,
    rowbeat,
    key,
    said,
    issue,
    call: (method, path, body, more) => call(app, key, method, path, body, more),
    listen: () => app.listen({ port: 0, host: '127.0.0.1' }),
  }
}

async function call(
  app: FastifyInstance,
  ownKey: string,
  method: InjectOptions['method'],
  path: string,
  body?: unknown,
  { key = ownKey, headers = {} }: CallOptions = {},
): Promise<Answer> {
  const isText = typeof body === 'string' || Buffer.isBuffer(body)
  const response = await app.inject({
    method,
    url: path,
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { payload: isText ? body : JSON.stringify(body) }),
  })
  const isJson = /[/+]json/.test(String(response.headers['content-type'] ?? ''))
  return {
    status: response.statusCode,
    headers: response.headers,
    text: response.body,
    json: isJson && response.body !== '' ? (JSON.parse(response.body) as unknown) : null,
  }
}
