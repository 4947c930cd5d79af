/** The error tree: codes are the contract, classes carry data, and the list at the top of errors.ts is the whole list. */
import { readdirSync, readFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import * as errors from '../../src/errors.ts'
import { ROOT } from '../helpers/process.ts'

t.test('every error tells its class, its code and its message as JSON', (t) => {
  const error = new errors.StoreError('RB_DB_UNREACHABLE', 'PostgreSQL cannot be reached: start it.', {
    cause: 'x',
  })
  t.ok(error instanceof errors.RowbeatError && error instanceof Error)
  t.strictSame(JSON.parse(JSON.stringify(error)), {
    name: 'StoreError',
    code: 'RB_DB_UNREACHABLE',
    message: 'PostgreSQL cannot be reached: start it.',
  })
  t.equal(error.cause, 'x')
  t.equal(new errors.ConfigError('wrong').code, 'RB_CONFIG_INVALID')
  t.end()
})

t.test('how a run ended is told by the stored error, which is data', (t) => {
  const data = {
    name: 'TypeError',
    message: 'no such row',
    code: 'E1',
    stack: 'TypeError: no such row\n  at x',
    cause: null,
  }
  const failed = new errors.AttemptsExhausted('RB_ATTEMPTS_EXHAUSTED', 'r1', 'attempts_exhausted', data)
  t.ok(failed instanceof errors.RunFailed && failed instanceof errors.RunError)
  t.match(failed, {
    name: 'AttemptsExhausted',
    message: 'TypeError: no such row',
    runId: 'r1',
    data,
    stack: data.stack,
  })
  t.match(new errors.RunRevoked('RB_RUN_REVOKED', 'r2', 'expired', null), {
    message: 'run r2 ended: expired',
  })
  t.notOk(failed instanceof TypeError)
  t.end()
})

const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => [file, readFileSync(join(ROOT, 'src', file), 'utf8')] as const)

t.test('the page of errors, when there is one, lists exactly the codes of the source', (t) => {
  const used = new Set(sources.flatMap(([, text]) => text.match(/\bRB_[A-Z][A-Z_]+\b/g) ?? []))
  t.ok(used.size > 10)
  const page = join(ROOT, 'docs/reference/errors.md')
  if (existsSync(page)) {
    const told = new Set(readFileSync(page, 'utf8').match(/\bRB_[A-Z][A-Z_]+\b/g))
    t.strictSame([...used].filter((code) => !told.has(code)).sort(), [], 'codes without a line')
    t.strictSame([...told].filter((code) => !used.has(code)).sort(), [], 'lines without a code')
  }
  t.end()
})
