/** DATABASE_URL means to both drivers what it means to libpq: sockets, TLS, names with odd characters. */
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { nodePostgresAddress, postgresJsAddress } from '../../src/db/address.ts'
import { connect } from '../../src/db/connect.ts'
import { startPostgres } from '../../src/embedded/postgres.ts'
import { createRowbeat, createWorker, migrate, task } from '../../src/index.ts'
import { ROOT } from '../helpers/process.ts'

const TLS = join(ROOT, 'test/fixtures/tls')

t.test('what a URL says is taken apart once, and what it does not say is left to the driver', (t) => {
  t.strictSame(postgresJsAddress('postgres://me@db.example.net:6543/app'), {
    url: 'postgres://me@db.example.net:6543/app',
    database: 'app',
  })
  t.strictSame(
    postgresJsAddress('postgres://me@localhost:5433/my%20db?host=%2Frun%2Fpostgresql&application_name=x'),
    {
      url: 'postgres://me@localhost:5433/my%20db?application_name=x',
      host: '/run/postgresql',
      database: 'my db',
    },
  )
  t.match(postgresJsAddress('postgres://me@%2Frun%2Fpostgresql/app'), { host: '/run/postgresql' })
  t.match(postgresJsAddress('postgres://me@localhost/app?host=other.example.net'), {
    host: 'other.example.net',
  })
  const several = 'postgres://me@a:1,b:2/app?target_session_attrs=primary'
  t.strictSame(postgresJsAddress(several), { url: several })
  const cases: [string, unknown, unknown][] = [
    ['sslmode=disable', false, false],
    ['sslmode=prefer', 'prefer', false],
    ['sslmode=require', { rejectUnauthorized: false }, { rejectUnauthorized: false }],
    ['sslmode=no-verify', { rejectUnauthorized: false }, { rejectUnauthorized: false }],
    ['sslmode=verify-full', { checkServerIdentity: Function }, { checkServerIdentity: Function }],
    ['sslrootcert=system', { checkServerIdentity: Function }, { checkServerIdentity: Function }],
  ]
  for (const [query, forPostgresJs, forNodePostgres] of cases) {
    t.match(postgresJsAddress(`postgres://x/y?${query}`).ssl, forPostgresJs, query)
    t.match(nodePostgresAddress(`postgres://x/y?${query}`).ssl, forNodePostgres, query)
    t.notMatch(nodePostgresAddress(`postgres://x/y?${query}`).connectionString, /ssl/)
  }
  t.notOk('ssl' in nodePostgresAddress('postgres://x/y'))
  t.match(postgresJsAddress(`postgres://x/y?sslmode=require&sslrootcert=${TLS}/server.crt`).ssl, {
    ca: /^-----BEGIN CERT/,
    checkServerIdentity: Function,
  })
  for (const query of ['sslmode=requir', 'sslmode=verify-full&sslrootcert=/nowhere.crt'])
    t.throws(() => postgresJsAddress(`postgres://x/y?${query}`), {
      code: 'RB_CONFIG_INVALID',
      message: /in DATABASE_URL/,
    })
  t.end()
})

t.test('a socket, and TLS of each strength, serve migrations, enqueue and a worker', async (t) => {
  // A socket's path has room for a hundred characters only.
  const sockets = mkdtempSync(join(tmpdir(), 'rb-'))
  chmodSync(sockets, 0o777)
  const dataDir = t.testdir()
  const certificates = join(sockets, 'tls')
  mkdirSync(certificates)
  for (const file of ['server.crt', 'server.key']) copyFileSync(join(TLS, file), join(certificates, file))
  // The server wants a key that nobody but its own user, or root, can read; as root it runs as nobody.
  chmodSync(join(certificates, 'server.key'), 0o600)
  if (process.getuid!() === 0) chownSync(join(certificates, 'server.key'), 65_534, 65_534)
  const server = await startPostgres({
    dataDir,
    port: 0,
    settings: {
      fsync: 'off',
      unix_socket_directories: sockets,
      ssl: 'on',
      ssl_cert_file: join(certificates, 'server.crt'),
      ssl_key_file: join(certificates, 'server.key'),
    },
  })
  t.teardown(async () => {
    await server.stop()
    rmSync(sockets, { recursive: true, force: true })
  })
  const { username, password } = new URL(server.url)
  const bySocket = `postgres://${username}:${password}@localhost:${server.port}/rowbeat?host=${encodeURIComponent(sockets)}`
  await migrate({ url: bySocket })
  t.equal(await addOverThere(bySocket), 3)
  const bySocketHost = `postgres://${username}:${password}@${encodeURIComponent(sockets)}:${server.port}/rowbeat`
  const sql = connect({ url: bySocketHost, role: 'test', max: 1 })
  t.match(await sql`select inet_server_addr() as address, current_setting('application_name') as name`, [
    { address: null, name: 'rowbeat test' },
  ])
  await sql.end()
  const byTls = `postgres://${username}:${password}@localhost:${server.port}/rowbeat`
  t.equal(await addOverThere(`${byTls}?sslmode=verify-full&sslrootcert=${TLS}/server.crt`), 3)
  for (const query of ['sslmode=require', 'sslmode=prefer', 'sslmode=disable'])
    t.strictSame((await migrate({ url: `${byTls}?${query}` })).applied, [], query)
  const secure = connect({ url: `${byTls}?sslmode=require`, role: 'test', max: 1 })
  t.match(await secure`select ssl from pg_stat_ssl where pid = pg_backend_pid()`, [{ ssl: true }])
  await secure.end()
  await t.rejects(migrate({ url: `${byTls}?sslmode=verify-full` }), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
  const otherName = `${byTls.replace('localhost', '127.0.0.1')}?sslmode=verify-full&sslrootcert=${TLS}/server.crt`
  await t.rejects(migrate({ url: otherName }), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  t.strictSame((await migrate({ url: otherName.replace('verify-full', 'verify-ca') })).applied, [])
  const missing = `postgres://me@localhost/x?host=${encodeURIComponent(join(sockets, 'none'))}`
  await t.rejects(migrate({ url: missing }), { code: 'RB_DB_UNREACHABLE', message: /ENOENT/ })
})

/** Enqueues and runs one task, so that every kind of connection we make was made. */
async function addOverThere(url: string): Promise<unknown> {
  const add = task('a.add', {}, ({ x, y }: { x: number; y: number }) => x + y)
  const rowbeat = createRowbeat({ databaseUrl: url })
  const worker = createWorker({ databaseUrl: url, tasks: [add] })
  await worker.start()
  try {
    return await (await rowbeat.enqueue(add, { x: 1, y: 2 })).result({ timeout: '10s' })
  } finally {
    await worker.stop()
    await rowbeat.close()
  }
}
