/** The panel and the process it is in: what is loaded when, what becomes of it when something is missing, and that it ends with the app. */
import { fastify } from 'fastify'
import { registerHooks } from 'node:module'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { isPanelInstalled, rowbeatPanel } from '../../admin/panel.ts'
import { createServer } from '../../src/api/server.ts'
import { createRowbeat, type Rowbeat } from '../../src/index.ts'
import { setup } from '../helpers/bundle.ts'
import { until } from '../helpers/wait.ts'

const MINE = /\/node_modules\/(@?adminjs|react|redux|rollup|@babel|@tiptap)|\/admin\/shell\/inner\./

/** What of the panel this process has loaded from here on. */
function watchLoading(t: Test, refuse = false): string[] {
  const loaded: string[] = []
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      if (refuse && specifier === 'adminjs')
        throw Object.assign(new Error("Cannot find package 'adminjs'"), { code: 'ERR_MODULE_NOT_FOUND' })
      return next(specifier, context)
    },
    load(url, context, next) {
      if (MINE.test(url)) loaded.push(url)
      return next(url, context)
    },
  })
  t.teardown(() => hooks.deregister())
  return loaded
}

async function makeRowbeat(t: Test): Promise<Rowbeat> {
  const { sql } = await setup(t)
  const rowbeat = createRowbeat({ db: sql, tasks: [] })
  t.teardown(() => rowbeat.close())
  return rowbeat
}

t.test('where AdminJS is missing the service runs, and the panel says so', async (t) => {
  watchLoading(t, true)
  t.notOk(isPanelInstalled())
  const lines: string[] = []
  const stream = new Writable({ write: (line, _, done) => done(void lines.push(String(line))) })
  const rowbeat = await makeRowbeat(t)
  const app = createServer({ rowbeat, logger: pino({ level: 'info' }, stream) })
  app.register(rowbeatPanel, { rowbeat })
  t.teardown(() => app.close())
  const base = await app.listen({ port: 0, host: '127.0.0.1' })
  const answer = await fetch(`${base}/admin/login`)
  t.match(await answer.json(), { code: 'RB_PANEL_UNAVAILABLE', status: 503, request_id: /./ })
  t.match([answer.status, answer.headers.get('retry-after')], [503, '10'])
  t.equal((await fetch(`${base}/admin/v1/runs`)).status, 503)
  t.equal((await fetch(`${base}/healthz`)).status, 200)
  t.equal((await fetch(`${base}/v1/runs`)).status, 401)
  t.match(lines.filter((line) => line.includes('npm install adminjs')).length, 1, 'once')
})

t.test('nothing of it is loaded before the app listens, and all of it soon after', async (t) => {
  const loaded = watchLoading(t)
  t.ok(isPanelInstalled())
  const rowbeat = await makeRowbeat(t)
  const app = createServer({ rowbeat, logger: pino({ level: 'silent' }) })
  app.register(rowbeatPanel, { rowbeat })
  t.teardown(() => app.close())
  const base = await app.listen({ port: 0, host: '127.0.0.1' })
  t.strictSame(loaded, [])
  await until('nobody asked, and it is loaded', () => loaded.some((url) => url.includes('/adminjs/')))
  t.equal((await fetch(`${base}/admin/login`)).status, 200)
  const heavy = loaded.filter((url) =>
    /\/node_modules\/(react-dom|@babel\/core|@tiptap|rollup)|design-system\/build\/atoms/.test(url),
  )
  t.strictSame(heavy, [], 'but for what a server has no use for')
})

t.test('an app of one’s own has it under its prefix, beside its own routes', async (t) => {
  const rowbeat = await makeRowbeat(t)
  const app = fastify()
  app.get('/', async () => 'mine')
  app.register(async (scope) => scope.register(rowbeatPanel, { rowbeat, prefix: '/panel' }), {
    prefix: '/ops',
  })
  t.teardown(() => app.close())
  const base = await app.listen({ port: 0, host: '127.0.0.1' })
  const page = await fetch(`${base}/ops/panel`, { redirect: 'manual' })
  t.match([page.status, page.headers.get('location')], [303, '/ops/panel/login?next=%2Fops%2Fpanel'])
  const login = await (await fetch(`${base}/ops/panel/login`)).text()
  t.match(login, 'action="/ops/panel/login"')
  t.match(login, 'href="/ops/panel/files/')
  t.equal((await fetch(`${base}/ops/panel/v1/runs`)).status, 401)
  t.equal((await fetch(`${base}/admin`)).status, 404)
  t.equal(await (await fetch(base)).text(), 'mine')
})

t.test('it ends with the app, also while it is being loaded', async (t) => {
  const rowbeat = await makeRowbeat(t)
  const app = createServer({ rowbeat, logger: pino({ level: 'silent' }) })
  app.register(rowbeatPanel, { rowbeat })
  const base = await app.listen({ port: 0, host: '127.0.0.1' })
  // Whether it gets an answer hangs on who is first; that the app ends does not.
  const [asked] = await Promise.allSettled([fetch(`${base}/admin/login`), app.close()])
  if (asked.status === 'fulfilled') t.ok([200, 503].includes(asked.value.status), `${asked.value.status}`)
  await t.rejects(fetch(`${base}/admin/login`))
})

t.test('what is no rowbeat is told at once', async (t) => {
  const app = fastify()
  await t.rejects(async () => await app.register(rowbeatPanel, {} as never), { code: 'RB_CONFIG_INVALID' })
})
