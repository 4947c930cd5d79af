/** docs/explanation/delivery.md names, for each promise, a test that is there under that name. */
import t from 'tap'
import { codeOf, readPage, rowsBy } from './page.ts'

t.test('each promise names a test that is there', async (t) => {
  const rows = rowsBy(readPage('docs/explanation/delivery.md'), 'Promise')
  t.ok(rows.length > 10)
  for (const row of rows) {
    const shown = row['Shown by']!
    const file = codeOf(shown)
    const title = shown.slice(file.length + 4)
    t.ok(title.length > 10 && readPage(file).includes(title), shown)
  }
})
