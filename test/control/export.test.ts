import { Readable } from 'node:stream'
import t from 'tap'
import { PROCESS } from '../../src/auth/scopes.ts'
import { exportRuns } from '../../src/control/export.ts'
import type { RunPage, RunQuery } from '../../src/control/run-page.ts'
import type { RunDocument } from '../../src/results/run.ts'
import { until } from '../helpers/wait.ts'

/** Pages of a list without end; each run has `size` characters. */
function createList(size: number, pages = Infinity) {
  const asked: RunQuery[] = []
  const list = async (_caller: unknown, query: RunQuery): Promise<RunPage> => {
    asked.push(query)
    const run = { id: 'a', input: 'x'.repeat(size) } as RunDocument
    return {
      items: Array.from({ length: query.limit }, () => run),
      before: asked.length < pages ? 'a' : null,
    }
  }
  return { asked, list }
}

t.test('no page is read before somebody has room for it', async (t) => {
  const { asked, list } = createList(1000)
  const pieces = await exportRuns(list, PROCESS, {}, 'ndjson')
  const stream = Readable.from(pieces, { highWaterMark: 1 })
  await new Promise((resolve) => stream.once('readable', resolve))
  t.ok(asked.length <= 2, `${asked.length} pages were read for who reads nothing`)
  for (let n = 0; n < 5; n++) await until('a piece', () => stream.read() !== null)
  t.ok(asked.length <= 8, `${asked.length} pages for five pieces`)
  stream.destroy()
})

t.test('pages of large runs are small', async (t) => {
  const { asked, list } = createList(1_000_000, 4)
  for await (const piece of await exportRuns(list, PROCESS, {}, 'json')) t.ok(piece.length < 51_000_000)
  t.strictSame(
    asked.map(({ limit }) => limit),
    [50, 4, 4, 4],
  )
})

t.test('an empty page in the middle is no end, and leaves no comma', async (t) => {
  const run = { id: 'a' } as RunDocument
  const pages: RunPage[] = [
    { items: [], before: '1' },
    { items: [run], before: '2' },
    { items: [], before: '3' },
    { items: [run], before: null },
  ]
  const parts: string[] = []
  for await (const piece of await exportRuns(async () => pages.shift()!, PROCESS, {}, 'json'))
    parts.push(piece)
  t.strictSame(JSON.parse(parts.join('')), { items: [{ id: 'a' }, { id: 'a' }] })
})
