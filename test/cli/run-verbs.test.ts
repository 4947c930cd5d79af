/** revoke, retry, reschedule, delete and operations: what they print and how they exit. No worker is needed for that. */
import t from 'tap'
import { workOperations } from '../../src/dispatcher/operations.ts'
import { setup } from '../helpers/bundle.ts'
import { type Said } from './command.ts'
import { createHere } from './here.ts'

const rowbeat = createHere()

const { url, sql, db } = await setup(t)
await sql`insert into rowbeat.tasks (name) values ('test.a')`
const ask = (...words: string[]): Promise<Said> => rowbeat(t, words, { env: { DATABASE_URL: url } })
const make = async (options = ''): Promise<string> =>
  (await sql.unsafe(`select rowbeat.enqueue('test.a', '{"n": 1}', tags => '{t}' ${options}) as id`))[0]!.id
const UNKNOWN = '019a9a9a-0000-7000-8000-000000000000'

t.test('runs named by their ids', async (t) => {
  const [one, two] = [await make(), await make(`, delay => '1 hour'`)]
  t.match(await ask('reschedule', one, '--delay', '2h'), { code: 0, stdout: 'SCHEDULED\n', stderr: '' })
  const revoked = await ask('revoke', one, two, '--reason', 'enough')
  t.match(revoked, { code: 0, stdout: 'REVOKED\nREVOKED\n' })
  const retried = await ask('retry', one, '--input', '{"n": 2}', '--json')
  t.match(JSON.parse(retried.stdout), { retry_of: one, input: { n: 2 }, state: 'PENDING' })
  const { id } = JSON.parse(retried.stdout) as { id: string }
  t.match(await ask('delete', id), { code: 1, stdout: '', stderr: /is PENDING: only a finished run/ })
  t.match(await ask('delete', one), { code: 0, stdout: '', stderr: '' })
})

t.test('runs named by what they are: an operation', async (t) => {
  const begun = await ask(
    'revoke',
    '--task',
    'test.a',
    '--tag',
    't',
    '--state',
    'pending,scheduled',
    '--throttle',
    '1000',
  )
  t.match(begun, { code: 0, stdout: /^[0-9a-f-]{36}\n$/, stderr: /rowbeat operations/ })
  const id = begun.stdout.trim()
  t.match(await ask('operations', id, '--timeout', '1ms'), { code: 4, stdout: 'revoke: 0 runs, running\n' })
  while (await workOperations(db));
  t.match(await ask('operations', id, '--wait'), { code: 0, stdout: 'revoke: 1 of 1 runs, done\n' })
  const listed = await ask('operations')
  t.match(listed, { code: 0, stdout: /^ID +KIND +FILTER/ })
  t.match(listed.stdout, /\{"tag": ?\["t"\], ?"task": ?"test\.a", ?"state": ?"PENDING,SCHEDULED"\}/)
  t.match(await ask('operations', id, '--stop', '--json'), { code: 0, stdout: /"state": "done"/ })
})

t.test('what is not understood exits 2', async (t) => {
  const refused: [words: string[], said: RegExp][] = [
    [['revoke', UNKNOWN, '--all'], /one of the two/],
    [['revoke', '--state', 'DONE'], /state must be/],
    [['reschedule', UNKNOWN], /Say when/],
    [['operations', '--stop'], /Name the operation/],
  ]
  const said = await Promise.all(refused.map(([words]) => ask(...words)))
  refused.forEach(([words, pattern], i) => t.match(said[i], { code: 2, stderr: pattern }, words.join(' ')))
})
