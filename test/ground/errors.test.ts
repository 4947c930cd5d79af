/** The error tree: codes are the contract, classes carry data. */
import t from 'tap'
import * as errors from '../../src/errors.ts'

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
