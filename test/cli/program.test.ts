/** The command line itself: help, flags that are refused, errors as one line and as one document. */
import t from 'tap'
import { VERSION } from '../../src/version.ts'
import { folder } from './command.ts'
import { createHere } from './here.ts'

const rowbeat = createHere()

const COMMANDS = ['start', 'api', 'worker', 'migrate', 'psql', 'call', 'result', 'runs', 'doctor', 'top']

t.test('the help names every command and the exit codes', async (t) => {
  const { code, stdout, stderr } = await rowbeat(t, ['--help'])
  t.equal(code, 0)
  t.equal(stderr, '')
  for (const command of COMMANDS) t.match(stdout, new RegExp(`^  ${command} `, 'm'))
  t.match(stdout, /Exit codes: 0 done, 1 the run failed/)
  t.match(await rowbeat(t, ['--version']), { code: 0, stdout: `${VERSION}\n` })
})

for (const command of COMMANDS) {
  t.test(`rowbeat ${command} --help tells its flags and does nothing`, async (t) => {
    const { code, stdout, stderr } = await rowbeat(t, [command, '--help'], { cwd: folder(t) })
    t.equal(code, 0)
    t.equal(stderr, '')
    t.ok(stdout.startsWith(`Usage: rowbeat ${command} `), stdout)
    for (const flag of ['--json', '--database-url', '--data-dir', 'Exit codes']) t.match(stdout, flag)
  })
}

t.test('what is not understood exits 2 with one line that names it', async (t) => {
  const cases: [words: string[], line: RegExp][] = [
    [['wrok'], /unknown command 'wrok'/],
    [['worker', '--bogus'], /unknown option '--bogus'/],
    [['call'], /missing required argument 'task'/],
    [['worker', '--concurrency', 'many'], /--concurrency.*whole number from 1 to 10000/],
    [['worker', '--concurrency', '0'], /--concurrency.*whole number/],
    [['worker', '--grace', 'soon'], /--grace.*"30s"/],
    [['worker', '-Q', 'High:2'], /queues: "High:2" is not understood/],
    [['api', '--port', '70000'], /--port.*65535/],
    [['runs', '--state', 'DONE'], /--state: "DONE" is no state; use PENDING/],
    [['runs', '--limit', '0'], /--limit/],
    [['result', 'abc'], /"abc" is no run id/],
    [['call', 'demo.add', '{x: 1}'], /The input is not JSON/],
    [['runs', '--database-url', 'mysql://here'], /must begin with postgres:/],
    [['runs', '--database-url', 'postgres://[here'], /must begin with postgres:/],
    [['purge', '--all', '--yes', '--database-url', ''], /--database-url is empty/],
    [['runs', '--before', 'abc'], /--before is "abc": give the id/],
    [['queues', 'puase', 'default'], /unknown command 'puase'; known are list, show/],
  ]
  await Promise.all(
    cases.map(async ([words, line]) => {
      const { code, stdout, stderr } = await rowbeat(t, words, { cwd: folder(t) })
      const name = words.join(' ')
      t.equal(code, 2, name)
      t.equal(stdout, '', name)
      t.match(stderr, line, name)
      t.notMatch(stderr, /^\s+at /m, `${name}: no stack`)
    }),
  )
})

t.test('with --json an error is one document on stdout, beside its words', async (t) => {
  for (const words of [
    ['runs', '--json'],
    ['runs', '--json', '--bogus'],
    ['migrate', '--json', '--sql', '--dry-run'],
  ]) {
    const { code, stdout, stderr } = await rowbeat(t, words, { cwd: folder(t) })
    t.equal(code, 2)
    t.match(JSON.parse(stdout), {
      error: { name: 'ConfigError', code: 'RB_CONFIG_INVALID', message: String },
    })
    t.ok(stderr.trim().length > 0)
  }
})

t.test('a stack is shown only when debug is asked for', async (t) => {
  const options = { cwd: folder(t), env: { ROWBEAT_LOG_LEVEL: 'debug' } }
  const { stderr } = await rowbeat(t, ['runs'], options)
  t.match(stderr, /^rowbeat: No database is named.*\n/)
  t.match(stderr, /^\s+at /m)
})

t.test('a database that is not there exits 3, whatever is asked of it', async (t) => {
  const url = 'postgres://nobody@127.0.0.1:1/nowhere'
  const commands = [['runs'], ['migrate'], ['call', 'demo.add'], ['worker'], ['api']]
  await Promise.all(
    commands.map(async (words) => {
      const { code, stderr } = await rowbeat(t, [...words, '--database-url', url])
      t.equal(code, 3, words.join(' '))
      t.match(stderr, /^rowbeat: PostgreSQL at 127.0.0.1:1\/nowhere cannot be reached .*\n$/, words.join(' '))
    }),
  )
})
