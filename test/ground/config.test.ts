/** Configuration: defaults, flags over environment, and a sentence for everything that is wrong. */
import { join } from 'node:path'
import t from 'tap'
import { parseQueues, readConfig, readEnvironment } from '../../src/config.ts'

t.test('an empty environment gives the defaults, frozen', (t) => {
  const config = readConfig({})
  t.match(config, {
    port: 4000,
    host: '127.0.0.1',
    databaseUrl: null,
    timezone: 'UTC',
    resultRetentionMs: 30 * 86_400_000,
    concurrency: 10,
    queues: { default: 10, high: 10 },
    graceMs: 25_000,
    logLevel: 'info',
    prepare: true,
    app: null,
    smtpUrl: null,
  })
  t.ok(config.dataDir.endsWith('/.rowbeat'))
  t.throws(() => Object.assign(config, { port: 1 }), TypeError)
  t.end()
})

t.test('a variable that is there but empty counts as not there: compose files pass them so', (t) => {
  const names = [
    'PORT',
    'HOST',
    'DATABASE_URL',
    'PGHOST',
    'ROWBEAT_DATA_DIR',
    'ROWBEAT_APP',
    'ROWBEAT_TIMEZONE',
    'ROWBEAT_RESULT_RETENTION',
    'ROWBEAT_CONCURRENCY',
    'ROWBEAT_QUEUES',
    'ROWBEAT_GRACE',
    'ROWBEAT_LOG_LEVEL',
    'ROWBEAT_PREPARE',
    'ROWBEAT_ADMIN_EMAIL',
    'ROWBEAT_ADMIN_PASSWORD',
    'SMTP_URL',
    'ROWBEAT_HTTP_TASK',
    'ROWBEAT_HTTP_ALLOW',
    'ROWBEAT_HTTP_HTTPS_ONLY',
  ]
  t.strictSame(readConfig(Object.fromEntries(names.map((name) => [name, '']))), readConfig({}))
  t.end()
})

t.test('flags win over the environment, which wins over defaults', (t) => {
  const env = {
    PORT: '5000',
    ROWBEAT_CONCURRENCY: '3',
    ROWBEAT_QUEUES: 'high:20, default',
    ROWBEAT_PREPARE: 'false',
  }
  t.match(readConfig(env), { port: 5000, concurrency: 3, queues: { high: 20, default: 3 }, prepare: false })
  t.match(readConfig(env, { port: 0, concurrency: 7 }), {
    port: 0,
    concurrency: 7,
    queues: { high: 20, default: 7 },
  })
  t.match(readConfig(env, { port: undefined, queues: { slow: 1 } }), { port: 5000, queues: { slow: 1 } })
  t.end()
})

const WRONG: [Record<string, string>, RegExp][] = [
  [{ ROWBEAT_CONCURENCY: '5' }, /^ROWBEAT_CONCURENCY is not a variable .* ROWBEAT_CONCURRENCY/],
  [{ ROWBEAT_: '' }, /^ROWBEAT_ is not a variable/],
  [{ PORT: '4000x' }, /^PORT is "4000x": give a whole number from 0 to 65535/],
  [{ PORT: '70000' }, /^PORT is "70000"/],
  [{ PORT: '-1' }, /^PORT is "-1"/],
  [{ ROWBEAT_CONCURRENCY: '0' }, /^ROWBEAT_CONCURRENCY is "0"/],
  [{ ROWBEAT_CONCURRENCY: '1e3' }, /^ROWBEAT_CONCURRENCY is "1e3"/],
  [{ ROWBEAT_TIMEZONE: 'Kyiv' }, /^ROWBEAT_TIMEZONE is "Kyiv", which is no time zone/],
  [{ ROWBEAT_RESULT_RETENTION: 'for ever' }, /^ROWBEAT_RESULT_RETENTION is "for ever"/],
  [{ ROWBEAT_LOG_LEVEL: 'loud' }, /^ROWBEAT_LOG_LEVEL is "loud": use one of trace, /],
  [{ ROWBEAT_SECRET: 'too short' }, /^ROWBEAT_SECRET must have at least 32 characters/],
  [{ ROWBEAT_RATE_LIMIT: 'key:many' }, /^ROWBEAT_RATE_LIMIT: "key:many" is not understood/],
  [{ ROWBEAT_TRUST_PROXY: '10.0.0.0/8,proxy' }, /^ROWBEAT_TRUST_PROXY: "proxy" is no address/],
  [{ ROWBEAT_PREPARE: 'no' }, /^ROWBEAT_PREPARE is "no": use one of true, false/],
  [{ DATABASE_URL: 'mysql://localhost/x' }, /^DATABASE_URL must begin with postgres:/],
  [{ ROWBEAT_QUEUES: 'High' }, /^queues: "High" is not understood/],
  [{ ROWBEAT_QUEUES: 'high:0' }, /^queues: "high:0" is not understood/],
  [{ ROWBEAT_QUEUES: ',,' }, /^queues: name at least one/],
]
for (const [env, message] of WRONG) {
  t.test(`${JSON.stringify(env)} is refused with a sentence`, (t) => {
    t.throws(() => readConfig(env), { name: 'ConfigError', code: 'RB_CONFIG_INVALID', message })
    t.end()
  })
}

t.test('the variables of libpq make an address', (t) => {
  t.equal(
    readConfig({
      PGHOST: 'db.example.net',
      PGUSER: 'a b',
      PGPASSWORD: 'p@ss/w:rd',
      PGDATABASE: 'my db',
      PGPORT: '6543',
      PGSSLMODE: 'require',
    }).databaseUrl,
    'postgres://a%20b:p%40ss%2Fw%3Ard@db.example.net:6543/my%20db?sslmode=require',
  )
  t.match(readConfig({ PGHOST: '/run/postgresql', PGUSER: 'me' }).databaseUrl, /host=%2Frun%2Fpostgresql/)
  t.equal(readConfig({ PGDATABASE: 'app', PGUSER: 'me' }).databaseUrl, 'postgres://me@localhost:5432/app')
  t.equal(readConfig({ DATABASE_URL: 'postgresql://x/y', PGHOST: 'other' }).databaseUrl, 'postgresql://x/y')
  t.equal(readConfig({ PGPASSWORD: 'alone' }).databaseUrl, null)
  t.end()
})

t.test('globs are split at commas, but not within braces', (t) => {
  t.strictSame(readConfig({ ROWBEAT_TASKS: 'a/{x,y}.ts,b/*.{ts,js}' }).taskGlobs, [
    'a/{x,y}.ts',
    'b/*.{ts,js}',
  ])
  t.end()
})

t.test('the environment wins over .env of the working directory', (t) => {
  const cwd = t.testdir({ '.env': '# comment\nROWBEAT_GRACE="5s"\nHOME=/nowhere\n', python: { '.env': {} } })
  const env = readEnvironment(cwd)
  t.equal(env.ROWBEAT_GRACE, '5s')
  t.equal(env.HOME, process.env.HOME)
  t.equal(readEnvironment(join(cwd, 'python')).ROWBEAT_GRACE, undefined, 'a folder of that name is no file')
  t.end()
})

t.test('queues are names with or without their concurrency', (t) => {
  t.strictSame(parseQueues(' high:20 ,default, a_b-1:5', 10), { high: 20, default: 10, 'a_b-1': 5 })
  t.end()
})
