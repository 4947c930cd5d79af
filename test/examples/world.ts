/**
 * The examples as they run in `npm start`, in one process: a database of the test's own, the pages on a real
 * port, a worker with the examples' tasks, and a mail server that keeps what it gets.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance, type InjectOptions } from 'fastify'
import { SMTPServer } from 'smtp-server'
import { routes } from '../../src/examples/app.ts'
import { config } from '../../src/examples/rowbeat.config.ts'
import { createRowbeat, createWorker, discoverTasks, type Rowbeat } from '../../src/index.ts'
import { setup, type Bundle } from '../helpers/bundle.ts'
import { ROOT } from '../helpers/process.ts'

interface Owner {
  teardown(handler: () => unknown): unknown
}

export interface World extends Bundle {
  app: FastifyInstance
  origin: string
  rowbeat: Rowbeat
  /** Starts a worker; its end is the test's. */
  work(): Promise<void>
}

export async function setupExamples(t: Owner): Promise<World> {
  const bundle = await setup(t)
  process.env.DATABASE_URL = bundle.url
  const rowbeat = createRowbeat({ databaseUrl: bundle.url, routes: config.routes })
  const app = fastify()
  await routes(app, { rowbeat, databaseUrl: bundle.url })
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  const ends: (() => Promise<void>)[] = []
  t.teardown(async () => {
    await app.close()
    for (const end of ends) await end()
    await rowbeat.close()
  })
  const work = async (): Promise<void> => {
    const worker = createWorker({
      databaseUrl: bundle.url,
      tasks: await discoverTasks(['src/examples/*/tasks.ts'], ROOT),
      queues: { default: 10, high: 10 },
      routes: config.routes,
    })
    await worker.start()
    ends.push(() => worker.stop({ grace: '5s' }))
  }
  return { ...bundle, app, origin, rowbeat, work }
}

/**
 * A real SMTP server; SMTP_URL points at it until the test ends. `refuse` answers a recipient with that code.
 */
export async function setupMail(t: Owner, refuse?: number): Promise<{ mails: string[] }> {
  const mails: string[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    onRcptTo(_address, _session, done) {
      done(refuse ? Object.assign(new Error('no such mailbox'), { responseCode: refuse }) : null)
    },
    onData(stream, _session, done) {
      let text = ''
      stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      stream.on('end', () => {
        mails.push(text)
        done()
      })
    },
  })
  server.on('error', () => {})
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  process.env.SMTP_URL = `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}`
  t.teardown(async () => {
    delete process.env.SMTP_URL
    await new Promise<void>((resolve) => server.close(resolve))
  })
  return { mails }
}

/** A call without a socket; `token` signs it. */
export async function call(
  app: FastifyInstance,
  method: InjectOptions['method'],
  url: string,
  body?: unknown,
  { token, headers }: { token?: string; headers?: Record<string, string> } = {},
): Promise<{ status: number; headers: Record<string, unknown>; json: any; text: string }> {
  const response = await app.inject({
    method,
    url,
    payload: body as object,
    headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
  })
  const { statusCode: status, body: text } = response
  const isJson = String(response.headers['content-type']).includes('json')
  return { status, headers: response.headers, text, json: isJson ? JSON.parse(text) : null }
}

/** A CSV file as a browser's form sends it. */
export function form(
  fields: Record<string, string>,
  file?: { name: string; content: string | Uint8Array<ArrayBuffer> },
): FormData {
  const data = new FormData()
  for (const [name, value] of Object.entries(fields)) data.set(name, value)
  if (file) data.set('file', new File([file.content], file.name, { type: 'text/csv' }))
  return data
}
