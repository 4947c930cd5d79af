import { connect } from 'node:net'
import t from 'tap'
import { until, within } from '../helpers/wait.ts'
import { portOf } from './raw.ts'
import { serve } from './world.ts'

/** A connection that is kept: what was sent stays open, what came is in `text`. */
function openSocket(port: number) {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8')
  const state = { text: '', closed: false }
  socket.on('data', (chunk) => (state.text += String(chunk)))
  socket.on('close', () => (state.closed = true))
  socket.on('error', () => {})
  const statuses = (): number[] =>
    [...state.text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => Number(code))
  return {
    state,
    statuses,
    write: (text: string) => void socket.write(text),
    end: () => void socket.destroy(),
  }
}

function request(method: string, path: string, key: string, body?: object): string {
  const text = body ? JSON.stringify(body) : ''
  const type = body ? `Content-Type: application/json\r\nContent-Length: ${text.length}\r\n` : ''
  return `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\n${type}\r\n${text}`
}

t.test('one connection serves request after request', async (t) => {
  const { listen, key } = await serve(t)
  const socket = openSocket(portOf(await listen()))
  for (let n = 1; n <= 3; n++) {
    socket.write(request('POST', '/v1/runs', key, { task: 'demo.echo', input: { n } }))
    await until(`answer ${n}`, () => socket.statuses().length === n)
  }
  socket.write(request('POST', '/v1/runs', key, { task: 'nope' }) + request('GET', '/v1/runs', key))
  await until('both answers to what came at once', () => socket.statuses().length === 5)
  t.strictSame(socket.statuses(), [202, 202, 202, 422, 200])
  socket.end()
})

t.test('closing answers what is in flight, calls itself not ready, and listens no more', async (t) => {
  const { app, admin, listen, key } = await serve(t)
  const port = portOf(await listen())
  const socket = openSocket(port)
  let close: Promise<undefined> | undefined
  await admin.begin(async (tx) => {
    await tx`lock table rowbeat_queue._private_jobs in access exclusive mode`
    socket.write(request('POST', '/v1/runs', key, { task: 'demo.echo' }))
    await until('the enqueue waits', async () => {
      const [row] =
        await admin`select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`
      return row
    })
    close = app.close()
    await until('nobody else gets in', async () => {
      const late = openSocket(port)
      await until('it is refused', () => late.state.closed, { timeout: 500 })
      return true
    })
    socket.write(request('GET', '/readyz', key))
  })
  await until('the connection is closed', () => socket.state.closed)
  await close
  t.strictSame(socket.statuses(), [202, 503])
  t.match(socket.state.text, 'RB_CLOSING')
})

t.test('closing does not wait for a connection on which nothing ever came', async (t) => {
  const { app, listen } = await serve(t)
  const silent = openSocket(portOf(await listen()))
  const heard = (): Promise<number> =>
    new Promise((resolve, reject) =>
      app.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    )
  await until('it is connected', async () => (await heard()) === 1)
  await within('the server to close', Promise.resolve(app.close()), 2000)
  await until('its client sees it', () => silent.state.closed)
})
