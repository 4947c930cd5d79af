/** Who may run beside whom. */
import t from 'tap'
import { createCrowd } from '../../src/worker/crowd.ts'
import type { Crowd } from '../../src/worker/crowd.ts'

/** Enters and notes in `seen` when it was let in. */
function enter(crowd: Crowd, name: string, alone: boolean, seen: string[]): void {
  const admitted = crowd.enter(alone)
  if (!admitted) return void seen.push(name)
  void admitted.then(() => seen.push(name))
}
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

t.test('ordinary runs go straight through', async (t) => {
  const crowd = createCrowd()
  t.equal(crowd.enter(false), null)
  t.equal(crowd.enter(false), null)
})

t.test('a suspect waits until the others are done and holds the rest back until it ended', async (t) => {
  const crowd = createCrowd()
  const seen: string[] = []
  enter(crowd, 'a', false, seen)
  enter(crowd, 'b', false, seen)
  enter(crowd, 'suspect', true, seen)
  enter(crowd, 'late', false, seen)
  await settled()
  t.strictSame(seen, ['a', 'b'])
  crowd.leave(false)
  await settled()
  t.strictSame(seen, ['a', 'b'], 'one of two is still inside')
  crowd.leave(false)
  await settled()
  t.strictSame(seen, ['a', 'b', 'suspect'])
  enter(crowd, 'later', false, seen)
  await settled()
  t.strictSame(seen, ['a', 'b', 'suspect'], 'it is alone')
  crowd.leave(true)
  await settled()
  t.strictSame(seen, ['a', 'b', 'suspect', 'late', 'later'])
})

t.test('two suspects go one after the other', async (t) => {
  const crowd = createCrowd()
  const seen: string[] = []
  for (const name of ['one', 'two']) enter(crowd, name, true, seen)
  enter(crowd, 'rest', false, seen)
  await settled()
  t.strictSame(seen, ['one'])
  crowd.leave(true)
  await settled()
  t.strictSame(seen, ['one', 'two'])
  crowd.leave(true)
  await settled()
  t.strictSame(seen, ['one', 'two', 'rest'])
  crowd.leave(false)
  t.equal(crowd.enter(false), null, 'and the way is free again')
})

t.test('no order of coming and going breaks the rule', async (t) => {
  for (let round = 0; round < 50; round++) {
    const crowd = createCrowd()
    let inside = 0
    let alone = 0
    const visit = async (suspect: boolean): Promise<void> => {
      await crowd.enter(suspect)
      inside++
      if (suspect) alone++
      if (alone > 0 && inside > 1) t.fail('somebody runs beside a suspect')
      await settled()
      inside--
      if (suspect) alone--
      crowd.leave(suspect)
    }
    await Promise.all(Array.from({ length: 40 }, () => visit(Math.random() < 0.2)))
    t.equal(inside, 0)
  }
})
