/** `rowbeat api` as a process: where it listens, what it refuses, how it ends. */
import { createServer, type AddressInfo } from 'node:net'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { issueKey } from '../../src/auth/key.ts'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'
import { DEMO, folder, rowbeat, startRowbeat } from './command.ts'

t.jobs = 3

t.test('it listens on a free port, serves the API and the app beside it, and exits 0', async (t) => {
  const { url: databaseUrl, db } = await setup(t)
  const app = join(folder(t), 'app.ts')
  writeFileSync(
    app,
    `export async function routes(app: any, { rowbeat, databaseUrl }: any) {
       app.get('/hello', () => ({ tasks: [...rowbeat.tasks.keys()].length, same: databaseUrl === process.env.DATABASE_URL }))
     }`,
  )
  const env = { DATABASE_URL: databaseUrl, ROWBEAT_TASKS: DEMO, ROWBEAT_APP: app, PORT: '0' }
  const api = startRowbeat(t, ['api', '--json'], { env })
  await api.line(/"url"/, 30_000)
  const { url, panel } = JSON.parse(api.stdout())
  t.match(url, /^http:\/\/127\.0\.0\.1:\d+$/)
  t.equal(panel, `${url}/admin`)
  const signIn = await fetch(`${panel}/login`)
  t.match([signIn.status, await signIn.text()], [200, /<form method="post" action="\/admin\/login">/])
  t.match(await (await fetch(`${url}/healthz`)).json(), { status: 'ok' })
  t.equal((await fetch(`${url}/readyz`)).status, 200)
  t.strictSame(await (await fetch(`${url}/hello`)).json(), { tasks: 4, same: true })
  t.equal((await fetch(`${url}/v1/runs`)).status, 401)
  const { key } = await issueKey(db, { name: 'test', scopes: ['*'] })
  const response = await fetch(`${url}/v1/runs`, { headers: { authorization: `Bearer ${key}` } })
  t.equal(response.status, 200)

  const taken = await rowbeat(t, ['api', '--port', new URL(url).port], { env })
  t.match(taken, { code: 2, stdout: '', stderr: /^rowbeat: Port \d+ of 127\.0\.0\.1 is taken: .*\n$/m })
  const rss = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${api.pid}/status`, 'utf8'))?.[1]) / 1024
  t.ok(rss < 330, `${Math.round(rss)} MB with the panel loaded`)
  api.kill('SIGTERM')
  t.strictSame(await api.ended(), { code: 0, signal: null })
})

t.test('a stream that never ends does not hold up its end', async (t) => {
  const { url: databaseUrl, db, sql } = await setup(t)
  const { key } = await issueKey(db, { name: 'test', scopes: ['*'] })
  const [run] = await sql`select rowbeat.enqueue('demo.add', '{}', delay => '1 hour') as id`
  const api = startRowbeat(t, ['api', '--json', '--port', '0', '--no-admin'], {
    env: { DATABASE_URL: databaseUrl, ROWBEAT_TASKS: DEMO },
  })
  // The log names the address too, on stderr and sooner.
  const { url, panel } = await until('its document', () => JSON.parse(api.stdout()), { timeout: 30_000 })
  t.strictSame([panel, (await fetch(`${url}/admin`)).status], [null, 404], 'the panel was declined')
  const response = await fetch(`${url}/v1/runs/${run!.id}/events`, {
    headers: { authorization: `Bearer ${key}` },
  })
  t.equal(response.status, 200)
  api.kill('SIGINT')
  t.strictSame(await api.ended(5000), { code: 0, signal: null })
  await response.text().catch(() => {})
})

t.test('what it cannot listen on, load or use is told in one line', async (t) => {
  const { url } = await setup(t)
  const empty = await setup(t, { empty: true })
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const app = join(folder(t), 'app.ts')
  writeFileSync(app, 'export const routes = 1')
  const env = { DATABASE_URL: url, ROWBEAT_TASKS: DEMO, PORT: '0' }
  const cases: [env: Record<string, string>, line: RegExp][] = [
    [
      { ...env, PORT: String(port) },
      /^rowbeat: Port \d+ of 127\.0\.0\.1 is taken: stop what uses it, or set PORT/m,
    ],
    [{ ...env, HOST: '192.0.2.1' }, /^rowbeat: 192\.0\.2\.1 is no address of this machine: set HOST/m],
    [{ ...env, ROWBEAT_APP: app }, /^rowbeat: .*app\.ts \(ROWBEAT_APP\) exports no function routes/m],
    [{ ...env, ROWBEAT_APP: `${app}.gone` }, /^rowbeat: .*app\.ts\.gone cannot be loaded/m],
    [{ ...env, DATABASE_URL: empty.url }, /^rowbeat: The database is not at the schema/m],
  ]
  for (const [given, line] of cases) {
    const { code, stderr } = await rowbeat(t, ['api'], { env: given })
    t.equal(code, 2)
    t.match(stderr, line)
  }
})
