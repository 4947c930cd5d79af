import t from 'tap'
import {
  BadHeader,
  countRows,
  readBooks,
  readHeader,
  textLines,
  type Batch,
} from '../../src/examples/books/csv.ts'

const bytes = (text: string): Uint8Array[] => [Buffer.from(text)]
/** The same file cut to pieces of one byte, so that every character and line end is cut somewhere. */
const crumbs = (text: string): Uint8Array[] => [...Buffer.from(text)].map((byte) => Uint8Array.of(byte))

async function read(file: Uint8Array[]): Promise<Batch> {
  const all: Batch = { books: [], broken: [] }
  for await (const { books, broken } of readBooks(file)) {
    all.books.push(...books)
    all.broken.push(...broken)
  }
  return all
}

t.test('a plain file gives its books with their lines', async (t) => {
  const { books, broken } = await read(
    bytes('title,author,year\nКобзар,Тарас Шевченко,1840\nThe "X",Y,-8\n'.replace(/"X"/, 'X')),
  )
  t.strictSame(books, [
    { title: 'Кобзар', author: 'Тарас Шевченко', year: 1840, line: 2 },
    { title: 'The X', author: 'Y', year: -8, line: 3 },
  ])
  t.strictSame(broken, [])
})

t.test('columns come in any order, further ones are left out, names in any case', async (t) => {
  const { books } = await read(bytes('isbn,Year, AUTHOR ,title\n1,1911,Леся Українка,Лісова пісня,more\n'))
  t.strictSame(books, [{ title: 'Лісова пісня', author: 'Леся Українка', year: 1911, line: 2 }])
})

t.test(
  'a byte order mark, any line end, blank lines, no line end at the end: all the same books',
  async (t) => {
    for (const end of ['\n', '\r\n', '\r']) {
      for (const cut of [bytes, crumbs]) {
        const text = ['\uFEFFtitle,author,year', '', '𝒜,Б,1', '', 'c,d,2'].join(end)
        const { books, broken } = await read(cut(text))
        t.strictSame(
          [books.map(({ title, line }) => [title, line]), broken],
          [
            [
              ['𝒜', 3],
              ['c', 5],
            ],
            [],
          ],
        )
      }
    }
  },
)

t.test('semicolons and tabs separate columns where the header says so', async (t) => {
  for (const mark of [';', '\t']) {
    const { books } = await read(bytes(`title${mark}author${mark}year\na, b${mark}c${mark}3\n`))
    t.match(books, [{ title: 'a, b', author: 'c', year: 3 }])
  }
})

t.test('quotes hold commas, quotes and line breaks', async (t) => {
  const { books, broken } = await read(crumbs('title,author,year\n"a, ""b""\nc",d,1\ne,f,2\n'))
  t.strictSame(books, [
    { title: 'a, "b"\nc', author: 'd', year: 1, line: 2 },
    { title: 'e', author: 'f', year: 2, line: 4 },
  ])
  t.strictSame(broken, [])
})

t.test('each broken row is told by its line, the good ones around it are kept', async (t) => {
  const { books, broken } = await read(
    bytes(
      [
        'title,author,year',
        'a,b,1',
        'fo"o,b,2',
        'c,d,3',
        '"abc"def,x,3',
        'e,f,4,5,6',
        ',x,1',
        'x,,1',
        'x,y',
        'x,y,soon',
        'x,y,1e3',
        'x,y,12345',
        '"open,h,8',
        'g,h,7',
        '"m\nn",o,nineteen',
        `${'x'.repeat(1001)},y,1`,
        'last,one,9',
      ].join('\n'),
    ),
  )
  t.strictSame(
    books.map(({ title, line }) => [title, line]),
    [
      ['a', 2],
      ['c', 4],
      ['e', 6],
      ['g', 14],
      ['last', 18],
    ],
  )
  t.strictSame(
    broken.map(({ line }) => line),
    [3, 5, 7, 8, 9, 10, 11, 12, 13, 15, 17],
  )
  t.match(broken, [
    { message: /a quote stands inside a column/ },
    { message: /text between a closing quote/ },
    { message: 'the title is missing' },
    { message: 'the author is missing' },
    { message: 'the year is missing' },
    { message: 'the year is "soon": write a whole number, such as 1840' },
    { message: /1e3/ },
    { message: /12345/ },
    { message: /quote/ },
    { message: /nineteen/ },
    { message: 'the title is longer than 1000 characters' },
  ])
})

t.test('a quote that is never closed costs one row, in a file of many batches', async (t) => {
  const rows = Array.from({ length: 1800 }, (_, i) => (i === 700 ? `"book ${i},a,1` : `book ${i},a,${i}`))
  const { books, broken } = await read(bytes(`title,author,year\n${rows.join('\n')}`))
  t.equal(books.length, 1799)
  t.strictSame(broken, [{ line: 702, message: 'a quote is opened and never closed' }])
  t.strictSame(books.at(-1), { title: 'book 1799', author: 'a', year: 1799, line: 1801 })
})

t.test('rows of several lines are whole wherever a batch ends', async (t) => {
  const rows = Array.from({ length: 1500 }, (_, i) => `"book\n\n${i}",a,${i}`)
  const { books, broken } = await read(bytes(`title,author,year\n${rows.join('\n')}\n`))
  t.equal(books.length, 1500)
  t.strictSame(broken, [])
  t.match(books.at(-1), { title: 'book\n\n1499', line: 2 + 1499 * 3 })
})

t.test('a file of nothing but forgotten quotes is told line by line, soon', async (t) => {
  const start = performance.now()
  const { books, broken } = await read(bytes(`title,author,year\n${'"x,y\n'.repeat(5000)}`))
  t.equal(books.length, 0)
  t.strictSame([broken.length, broken.at(-1)!.line], [5000, 5001])
  t.ok(performance.now() - start < 5000)
})

t.test('rows come in batches of at most 500', async (t) => {
  const rows = Array.from({ length: 1200 }, (_, i) => `b${i},a,${i % 2000}`)
  const sizes: number[] = []
  for await (const { books } of readBooks(bytes(`title,author,year\n${rows.join('\n')}\n`)))
    sizes.push(books.length)
  t.strictSame(sizes, [500, 500, 200])
})

t.test('a file of broken rows only is told row by row, without a batch for blank lines', async (t) => {
  const { books, broken } = await read(bytes(`title,author,year\n${'\n'.repeat(700)}${'x\n'.repeat(650)}`))
  t.equal(books.length, 0)
  t.equal(broken.length, 650)
  t.equal(broken[0]!.line, 702)
  t.equal(broken.at(-1)!.line, 1351)
})

t.test('the count of rows leaves out the header, blank lines and line breaks in quotes', async (t) => {
  t.equal(await countRows(bytes('title,author,year\n"a\nb",c,1\n\nd,e,2\n')), 2)
  t.equal(await countRows(bytes('')), 0)
})

t.test('a header without the columns is refused in words', async (t) => {
  t.match(readHeader('title,writer'), /it has no columns author, year\.$/)
  t.match(readHeader('title;author;jahr'), /it has no column year\.$/)
  t.match(readHeader('{"a": 1}'), /cannot be read|has no columns/)
  t.match(readHeader(''), /has no columns title, author, year\.$/)
  await t.rejects(read(bytes('a,b\n1,2\n')), BadHeader)
})

t.test('lines are the same however the file is cut', async (t) => {
  const text = 'a\r\nb\rc\n\nї\r'
  const lines = async (file: Uint8Array[]): Promise<string[]> => {
    const all: string[] = []
    for await (const line of textLines(file)) all.push(line)
    return all
  }
  t.strictSame(await lines(bytes(text)), ['a', 'b', 'c', '', 'ї'])
  t.strictSame(await lines(crumbs(text)), ['a', 'b', 'c', '', 'ї'])
})
