/**
 * The pages on using Rowbeat from a program of yours do what they say: each page's code, from top to bottom, is one program
 * that runs as it is printed, with a real database and a real worker.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { issueKey } from '../../src/auth/key.ts'
import type { Rowbeat, Worker } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { ROOT, startProcess } from '../helpers/process.ts'
import { until } from '../helpers/wait.ts'
import { blocksOf, readPage } from './page.ts'

/** The page's TypeScript as a file of a project in which `rowbeat` is this source. */
function writeProgram(t: Test, path: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'rowbeat-library-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, 'rowbeat'), { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const exports = { '.': './src/index.ts', './fastify': './src/api/plugin.ts' }
  writeFileSync(join(modules, 'rowbeat/package.json'), JSON.stringify({ type: 'module', exports }))
  symlinkSync(join(ROOT, 'src'), join(modules, 'rowbeat/src'))
  for (const name of ['fastify', 'express'])
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name))
  const blocks = blocksOf(readPage(path)).filter(({ language }) => language === 'ts')
  writeFileSync(join(folder, 'main.ts'), blocks.map(({ text }) => text).join('\n'))
  return join(folder, 'main.ts')
}

t.test(
  'mount the API: the app serves its own route and ours, runs the task, and ends on SIGTERM',
  async (t) => {
    const { url, db, sql } = await setup(t)
    const { key } = await issueKey(db, { name: 'page', scopes: ['*'] })
    const env = { DATABASE_URL: url, PORT: '0' }
    const child = startProcess(t, writeProgram(t, 'docs/howto/mount-the-api.md'), { env })
    const [, port] = await child.line(/listening at http:\/\/127\.0\.0\.1:(\d+)/, 30_000)
    const base = `http://127.0.0.1:${port}`
    const ordered = await fetch(`${base}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"email": "a@example.com"}',
    })
    t.equal(ordered.status, 201)
    const { follow } = (await ordered.json()) as { follow: string }
    const run = await until('it has run', async () => {
      const answer = await fetch(base + follow, { headers: { authorization: `Bearer ${key}` } })
      const document = (await answer.json()) as { state: string; result: unknown }
      return document.state === 'SUCCESS' && document
    })
    t.equal(run.result, 'sent to a@example.com')
    child.kill('SIGTERM')
    t.match(await child.ended(15_000), { code: 0 })
    t.strictSame([...(await sql`select name from rowbeat.workers`)], [], 'the worker has left')
  },
)

interface Page {
  rowbeat: Rowbeat
  worker: Worker
  server: Server
  shutDown(): Promise<void>
  POST(request: Request): Promise<Response>
  GET(request: Request, context: { params: Promise<{ id: string }> }): Promise<Response>
}

t.test('other frameworks: Express, and route handlers as Next calls them', async (t) => {
  const { url, sql } = await setup(t)
  const before = { DATABASE_URL: process.env.DATABASE_URL, PORT: process.env.PORT }
  Object.assign(process.env, { DATABASE_URL: url, PORT: '0' })
  const page = (await import(writeProgram(t, 'docs/howto/other-frameworks.md'))) as Page
  t.teardown(async () => {
    for (const [name, value] of Object.entries(before))
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    await page.worker.stop({ grace: 0 })
    await page.shutDown()
  })
  const base = `http://127.0.0.1:${(page.server.address() as AddressInfo).port}`

  const ordered = await fetch(`${base}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"email": "express@example.com"}',
  })
  t.equal(ordered.status, 202)
  const done = await until('it has run', async () => {
    const told = (await (await fetch(base + ordered.headers.get('location')!)).json()) as { state: string }
    return told.state === 'SUCCESS' && told
  })
  t.match(done, { result: 'sent to express@example.com' })
  t.equal((await fetch(`${base}/orders/01900000-0000-7000-8000-000000000000`)).status, 404)

  const body = JSON.stringify({ email: 'next@example.com' })
  const posted = await page.POST(new Request('http://localhost/api/orders', { method: 'POST', body }))
  t.equal(posted.status, 202)
  const { run } = (await posted.json()) as { run: string }
  const ask = (id: string): Promise<Response> =>
    page.GET(new Request(`http://localhost/api/orders/${id}`), { params: Promise.resolve({ id }) })
  t.strictSame(await (await ask(run)).json(), { result: 'sent to next@example.com' })
  t.match(await sql`select count(*)::int as n from rowbeat.results where task = 'shop.send_receipt'`, [
    { n: 2 },
  ])
})

t.test('createRowbeat alone, in a plain JavaScript program, ends by itself', async (t) => {
  const { url } = await setup(t)
  const file = writeProgram(t, 'docs/howto/other-frameworks.md').replace('main.ts', 'plain.mjs')
  writeFileSync(
    file,
    `import { createRowbeat, task, createWorker } from 'rowbeat'
const add = task('plain.add', {}, ({ x, y }) => x + y)
const rowbeat = createRowbeat({ databaseUrl: process.env.DATABASE_URL, tasks: [add] })
const worker = createWorker({ databaseUrl: process.env.DATABASE_URL, tasks: { add } })
await worker.start()
const run = await rowbeat.enqueue(add, { x: 1, y: 2 })
console.log('result', await run.result({ timeout: '20 s' }))
await worker.stop()
await rowbeat.close()
`,
  )
  const child = startProcess(t, file, { env: { DATABASE_URL: url } })
  t.match(await child.ended(30_000), { code: 0 })
  t.equal(child.output(), 'result 3\n')
})
