/**
 * The examples as they run in `npm start`, in one process: a database of the test's own, the pages on a real
 * port, a worker with the examples' tasks, and a mail server that keeps what it gets.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyInstance } from 'fastify'
import { SMTPServer } from 'smtp-server'
import { routes } from '../../src/examples/app.ts'
import { importBooks, sendImportReport } from '../../src/examples/books/tasks.ts'
import { sendOrderConfirmationEmail } from '../../src/examples/orders/tasks.ts'
import { createRowbeat, createWorker, type Rowbeat } from '../../src/index.ts'
import { setup, type Bundle } from '../helpers/bundle.ts'

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
  const rowbeat = createRowbeat({ databaseUrl: bundle.url })
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
    const tasks = [importBooks, sendImportReport, sendOrderConfirmationEmail]
    const worker = createWorker({ databaseUrl: bundle.url, tasks })
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
