/** Prefetch in time: how many runs a claim asks for. */
import t from 'tap'
import { createPace } from '../../src/worker/pace.ts'

const after = (times: number, ms: number, concurrency = 10): ReturnType<typeof createPace> => {
  const pace = createPace(concurrency, null)
  for (let i = 0; i < times; i++) pace.took(ms)
  return pace
}

t.test('before anything was seen a claim takes what is free', async (t) => {
  t.equal(createPace(10, null).size(10), 10)
  t.equal(createPace(10, null).size(1), 1)
})

t.test('slow runs are never claimed ahead', async (t) => {
  for (const ms of [200, 1000, 60_000]) t.equal(after(50, ms).size(3), 3, `${ms} ms`)
})

t.test('fast runs are claimed by the hundred, 512 at most', async (t) => {
  t.ok(after(300, 0.1).size(10) >= 256)
  t.equal(after(1000, 0.001).size(10), 512)
})

t.test('sizes are powers of two where it claims ahead, so few statements are prepared', async (t) => {
  const sizes = new Set<number>()
  const pace = createPace(10, null)
  for (let i = 0; i < 2000; i++) {
    pace.took(0.5 + Math.random() * 3)
    sizes.add(pace.size(1 + (i % 10)))
  }
  const ahead = [...sizes].filter((size) => size > 10)
  t.ok(
    ahead.every((size) => Math.log2(size) % 1 === 0),
    `seen: ${[...sizes].toSorted((a, b) => a - b)}`,
  )
})

t.test('one slow run among fast ones is believed at once, faster ones only slowly', async (t) => {
  const pace = after(1000, 0.1)
  t.ok(pace.size(10) > 100)
  pace.took(1000)
  t.equal(pace.size(2), 2, 'a second of work: nothing ahead')
  for (let i = 0; i < 20; i++) pace.took(0.1)
  t.equal(pace.size(2), 2, 'twenty fast ones prove little')
  for (let i = 0; i < 200; i++) pace.took(0.1)
  t.ok(pace.size(2) > 100, 'two hundred do')
})

t.test('a number of runs to hold ahead overrides the measure', async (t) => {
  const pace = createPace(10, 7)
  pace.took(60_000)
  t.equal(pace.size(3), 10)
  t.equal(createPace(1, 0).size(1), 1, 'none')
  t.equal(createPace(1, 10_000).size(1), 512, 'bounded all the same')
})
