/** call, result and runs against a worker process: what they print, and how they exit. */
import t from 'tap'
import type { RunDocument } from '../../src/results/run.ts'
import { setup } from '../helpers/bundle.ts'
import { DEMO, startRowbeat, type Said } from './command.ts'
import { createHere } from './here.ts'

const rowbeat = createHere()

const { url } = await setup(t)
const worker = startRowbeat(t, ['worker', '--json', '--name', 'tester'], {
  env: { DATABASE_URL: url, ROWBEAT_TASKS: DEMO },
})
await worker.line(/"tasks"/, 30_000)

const ask = (...words: string[]): Promise<Said> => rowbeat(t, words, { env: { DATABASE_URL: url } })
const document = ({ stdout }: Said): RunDocument => JSON.parse(stdout) as RunDocument
const UNKNOWN = '019a9a9a-0000-7000-8000-000000000000'

t.test('call prints the id; result prints what the run returned', async (t) => {
  const called = await ask('call', 'demo.add', '{"x": 1, "y": 2}')
  t.match(called, { code: 0, stdout: /^[0-9a-f-]{36}\n$/, stderr: '' })
  t.match(await ask('result', called.stdout.trim(), '--wait'), { code: 0, stdout: '3\n', stderr: '' })
})

t.test('call --wait prints what the run returned, --json the whole run', async (t) => {
  t.match(await ask('call', 'demo.echo', '{"text": "Кобзар"}', '--wait'), {
    code: 0,
    stdout: '{\n  "text": "Кобзар"\n}\n',
  })
  const options = ['--queue', 'high', '--priority', '-5', '--tag', 'one', 'two', '--attempts-max', '2']
  const run = document(await ask('call', 'demo.echo', '{}', '--wait', '--json', ...options))
  t.match(run, { state: 'SUCCESS', queue: 'high', priority: -5, tags: ['one', 'two'], attempts_max: 2 })
  t.equal(run.worker, 'tester')
  t.match(document(await ask('call', 'demo.add', '{"x":1,"y":1}', '--json')), {
    task: 'demo.add',
    id: String,
  })
})

t.test('a failed run exits 1 with its error in words', async (t) => {
  const words = ['call', 'demo.fail', '{"times": 1, "message": "no luck"}', '--attempts-max', '1', '--wait']
  const failed = await ask(...words)
  t.match(failed, { code: 1, stdout: '' })
  t.match(failed.stderr, /^rowbeat: run [0-9a-f-]{36} ended as .*: DemoFailure: no luck\n$/)
  const told = await ask(...words, '--json')
  t.equal(told.code, 1)
  t.match(document(told), { state: 'FAILURE', error: { message: 'no luck' } })
})

t.test('a run that is not finished in time exits 4, one that is unknown 1', async (t) => {
  const { stdout } = await ask('call', 'demo.echo', '{}', '--delay', '1h')
  const id = stdout.trim()
  t.match(await ask('result', id), { code: 4, stdout: '', stderr: /is SCHEDULED: give --wait/ })
  const late = await ask('result', id, '--timeout', '200ms', '--json')
  t.match(late, { code: 4, stderr: /had no result within 0.2 s/ })
  t.match(document(late), { id, state: 'SCHEDULED', reason: 'eta' })
  t.match(await ask('result', UNKNOWN), { code: 1, stdout: '', stderr: /is unknown/ })
})

t.test('what cannot be enqueued exits 2 and writes nothing', async (t) => {
  t.match(await ask('call', 'demo.add', '{"x": 1}'), {
    code: 2,
    stderr: /input of demo.add is refused: \/input\/y/,
  })
  t.match(await ask('call', 'demo.nothing'), { code: 2, stderr: /No process ever registered/ })
  t.match(await ask('call', 'demo.echo', '{}', '--eta', 'tomorrow'), { code: 2, stderr: /eta/ })
  t.match(await ask('call', 'demo.echo', '{}', '--queue', 'No'), { code: 2, stderr: /queue/ })
  const { items } = JSON.parse((await ask('runs', '--task', 'demo.nothing', '--json')).stdout)
  t.strictSame(items, [])
})

t.test('an id or a unique key of its own answers the standing run', async (t) => {
  const id = '019a9a9a-1111-7111-8111-111111111111'
  const first = await ask('call', 'demo.echo', '{}', '--id', id)
  t.equal(first.stdout, `${id}\n`)
  t.equal((await ask('call', 'demo.echo', '{}', '--id', id)).stdout, `${id}\n`)
  const words = ['call', 'demo.echo', '{}', '--unique-key', 'k', '--delay', '1h']
  t.equal((await ask(...words)).stdout, (await ask(...words)).stdout)
})

t.test('runs lists newest first, filtered, as a table or as documents, page by page', async (t) => {
  const table = await ask('runs', '--state', 'failure', '--limit', '1')
  t.equal(table.code, 0)
  const [head, row, end] = table.stdout.split('\n')
  t.match(head, /^ID +TASK +QUEUE +STATE +TRY +CREATED$/)
  t.match(row, /^[0-9a-f-]{36}  demo\.fail  default  FAILURE \(\w+\)  1\/1  .*Z$/)
  t.equal(end, '')
  t.match(table.stderr, /There are more: --before [0-9a-f-]{36}/)

  const pages: string[] = []
  for (let before: string[] = []; ;) {
    const page = JSON.parse(
      (await ask('runs', '--json', '--task', 'demo.echo', '--limit', '2', ...before)).stdout,
    )
    pages.push(...page.items.map((run: RunDocument) => run.id))
    if (page.next === null) break
    before = ['--before', page.next]
  }
  t.ok(pages.length >= 4)
  t.strictSame(pages, [...new Set(pages)].toSorted().reverse())
  t.match(await ask('runs', '--queue', 'empty'), { code: 0, stdout: '', stderr: 'No runs match.\n' })
})
