import t from 'tap'
import { createMemo } from '../../src/control/memo.ts'
import { spansOf } from '../../src/control/stats.ts'

t.test('who asks while it is read waits for the same reading, and gets it again for a while', async (t) => {
  const memo = createMemo<number>()
  let reads = 0
  const read = async (): Promise<number> => {
    await new Promise((resolve) => setTimeout(resolve, 20))
    return ++reads
  }
  t.strictSame(await Promise.all([memo('a', read), memo('a', read), memo('a', read)]), [1, 1, 1])
  t.equal(await memo('a', read), 1)
  t.equal(await memo('b', read), 2, 'by its key')
})

t.test('what failed is told to all who waited, and read again by the next', async (t) => {
  const memo = createMemo<number>()
  const fail = (): Promise<number> => Promise.reject(new TypeError('no'))
  const both = await Promise.allSettled([memo('a', fail), memo('a', fail)])
  t.ok(both.every(({ status }) => status === 'rejected'))
  t.equal(await memo('a', async () => 7), 7)
})

t.test('percentiles come out of classes, right to a twentieth', async (t) => {
  const span = (ms: number): number => Math.round(10 * Math.log(ms))
  const counts = Array.from({ length: 1000 }, (_, i) => ({ span: span(i + 1), n: 1 }))
  const { p50, p95, p99, mean } = spansOf([...counts, { span: null, n: 500 }])!
  for (const [found, exact] of [
    [p50, 0.5],
    [p95, 0.95],
    [p99, 0.99],
    [mean, 0.5],
  ] as const)
    t.ok(Math.abs(found / exact - 1) < 0.06, `${found} for ${exact}`)
  t.equal(spansOf([{ span: null, n: 5 }]), null)
})
