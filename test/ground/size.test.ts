/** Sizes of memory as people write them. */
import t from 'tap'
import { parseSize } from '../../src/size.ts'

t.test('a size is a number and a unit, each 1,024 of the one below', async (t) => {
  t.equal(parseSize('300MB'), 300 * 2 ** 20)
  t.equal(parseSize('300 MiB'), 300 * 2 ** 20)
  t.equal(parseSize('1.5gb'), 1.5 * 2 ** 30)
  t.equal(parseSize('64kB'), 65_536)
})

t.test('a number alone, and what has another unit, is none', async (t) => {
  for (const text of ['300', '', 'MB', '-1MB', '1 TB', '1e3MB', '300M', 'NaN MB'])
    t.equal(parseSize(text), null, text)
})
