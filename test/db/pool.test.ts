/** The pool of a process that must outlive its connections. */
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import t from 'tap'
import { openPool } from '../../src/db/pool.ts'

const packet = (kind: string, body: Buffer): Buffer => {
  const head = Buffer.alloc(5)
  head.write(kind)
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

t.test('a server that says ready and good-bye in one breath ends no process', async (t) => {
  const welcome = packet('R', Buffer.alloc(4))
  const ready = packet('Z', Buffer.from('I'))
  const goodBye = packet('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection\0\0'))
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(Buffer.concat([welcome, ready, goodBye])))
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const { pool, end } = openPool({
    url: `postgres://nobody@127.0.0.1:${port}/none`,
    role: 'test',
    max: 1,
    prepare: false,
    onError: () => {},
  })
  t.teardown(end)
  const client = await pool.connect()
  await t.rejects(client.query('select 1'))
  client.release(true)
})
