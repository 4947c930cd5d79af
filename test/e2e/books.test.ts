/** The import from the form to the row in rowbeat.results, over HTTP, as people and programs use it. */
import t from 'tap'
import { form, setupExamples, setupMail, type World } from '../examples/world.ts'
import { until, within } from '../helpers/wait.ts'

const HEADER = 'title,author,year'
const asBrowser = { headers: { accept: 'text/html,application/xhtml+xml' } }

interface Shown {
  state: string
  progress: { current: number; total: number; percent: number } | null
  result: { imported: number; failed: number; errors: { line: number; message: string }[] } | null
}

async function upload(world: World, body: FormData): Promise<{ run_id: string; url: string }> {
  const response = await fetch(`${world.origin}/import`, { method: 'POST', body })
  const answer = (await response.json()) as { run_id: string; url: string }
  if (response.status !== 202) throw new Error(`${response.status}: ${JSON.stringify(answer)}`)
  return answer
}

/** All that the page's event stream tells of a run, until it ends by itself. */
async function follow(world: World, runId: string): Promise<Shown[]> {
  const response = await fetch(`${world.origin}/import/${runId}/events`)
  const text = await response.text()
  return [...text.matchAll(/^event: run\ndata: (.*)$/gm)].map(([, data]) => JSON.parse(data!) as Shown)
}

t.test(
  'ten thousand rows: a bar that moves, and a result that SQL, TypeScript and the page see',
  async (t) => {
    const world = await setupExamples(t)
    await world.work()
    const rows = Array.from(
      { length: 10_000 },
      (_, i) => `"Книга, №${i}",Автор ${i % 97} 📚,${1000 + (i % 1000)}`,
    )
    const { run_id, url } = await upload(
      world,
      form({ on_error: 'skip' }, { name: 'Бібліотека.csv', content: [HEADER, ...rows].join('\n') }),
    )
    t.equal(url, `/import/${run_id}`)

    const told = await follow(world, run_id)
    const moving = told.filter(({ state }) => state === 'PROGRESS').map(({ progress }) => progress!)
    t.ok(moving.length >= 4, `${moving.length} progress events`)
    t.ok(moving.every(({ total }) => total === 10_000))
    t.strictSame(
      moving,
      moving.toSorted((a, b) => a.current - b.current),
    )
    const expected = { imported: 10_000, failed: 0, errors: [] }
    t.strictSame(told.at(-1)!.result, expected)

    const [row] = await world.sql`select state, result, progress from rowbeat.results where id = ${run_id}`
    t.match(row, { state: 'SUCCESS', result: expected, progress: { current: 10_000, total: 10_000 } })
    t.strictSame(await world.rowbeat.run(null, run_id).result(), expected)
    const [books] = await world.sql`
    select count(*)::int as count, count(distinct line)::int as lines, min(title) filter (where line = 2) as first
    from examples.books`
    t.strictSame({ ...books }, { count: 10_000, lines: 10_000, first: 'Книга, №0' })
    t.strictSame([...(await world.sql`select from examples.upload_parts`)], [], 'the file is not kept twice')

    const page = await (await fetch(world.origin + url, asBrowser)).text()
    t.match(page, 'Бібліотека.csv')
    t.match(page, '10,000')
    t.match(page, `rowbeat.results where id = &#39;${run_id}&#39;`)
  },
)

t.test('one upload after another', async (t) => {
  const world = await setupExamples(t)
  const { mails } = await setupMail(t)
  await world.work()
  const imported = async (runId: string) =>
    (
      await world.sql`
      select title, author, year, line from examples.books b join examples.uploads u on u.id = b.upload_id
      where u.run_id = ${runId} order by line`
    ).map((row) => ({ ...row }))
  const broken = [HEADER, 'a,b,1', 'no year,b', '"never closed,b,1', 'c,d,2'].join('\n')

  await t.test('broken rows are told by line and the rest is imported', async (t) => {
    const { run_id } = await upload(world, form({ on_error: 'skip' }, { name: 'x.csv', content: broken }))
    t.match((await follow(world, run_id)).at(-1), {
      state: 'SUCCESS',
      result: {
        imported: 2,
        failed: 2,
        errors: [
          { line: 3, message: 'the year is missing' },
          { line: 4, message: 'a quote is opened and never closed' },
        ],
      },
    })
    t.match(await imported(run_id), [{ title: 'a', line: 2 }, { title: 'c', line: 5 }]) // prettier-ignore
  })

  await t.test('or nothing of the file is imported, where that was chosen', async (t) => {
    const long = [HEADER, ...Array.from({ length: 800 }, (_, i) => `b${i},a,1`), 'broken', 'c,d,2'].join('\n')
    const { run_id } = await upload(world, form({ on_error: 'stop' }, { name: 'x.csv', content: long }))
    t.match((await follow(world, run_id)).at(-1), {
      state: 'SUCCESS',
      result: { imported: 0, failed: 1, errors: [{ line: 802, message: 'the author is missing' }] },
    })
    t.strictSame(await imported(run_id), [])
  })

  await t.test('of many broken rows the first hundred are listed', async (t) => {
    const content = `${HEADER}\n${'x\n'.repeat(150)}`
    const { run_id } = await upload(world, form({}, { name: 'x.csv', content }))
    const { result } = (await follow(world, run_id)).at(-1)!
    t.match({ failed: result!.failed, listed: result!.errors.length }, { failed: 150, listed: 100 })
    t.match(await (await fetch(`${world.origin}/import/${run_id}`, asBrowser)).text(), 'and 50 more')
  })

  await t.test('the bundled file is one button away, and a report is mailed', async (t) => {
    const response = await fetch(`${world.origin}/import/sample`, {
      method: 'POST',
      headers: { ...asBrowser.headers, 'content-type': 'application/x-www-form-urlencoded' },
      body: 'email=ada%40example.net',
      redirect: 'manual',
    })
    t.equal(response.status, 303)
    const url = response.headers.get('location')!
    await follow(world, url.split('/').at(-1)!)
    t.strictSame(
      (await imported(url.split('/').at(-1)!)).map((row) => (row as { title?: string }).title),
      ['Кобзар', 'Лісова пісня', 'Захар Беркут'],
    )
    const page = await (await fetch(world.origin + url, asBrowser)).text()
    t.match(page, 'Лісова пісня')
    const report = await until('the report is mailed', () =>
      mails.find((mail) => mail.includes('Subject: 3 books imported from books.csv')),
    )
    t.match(report, /^To: ada@example\.net\r$/m)
    t.match(report, /Books imported: 3/)
  })

  await t.test('what is in a file or its name stays text on every page', async (t) => {
    const hostile = `<img src=x onerror="alert(1)">`
    const content = `${HEADER}\n"${hostile.replaceAll('"', '""')}",<b>me</b>,1\nx,y,<i>soon</i>\n`
    const { run_id } = await upload(world, form({}, { name: `<u>"'&.csv`, content }))
    await follow(world, run_id)
    for (const path of [`/import/${run_id}`, '/import']) {
      const response = await fetch(world.origin + path, asBrowser)
      const page = await response.text()
      t.notMatch(page, /<img src=x|<b>me|<i>soon|<u>/)
      t.match(page, '&#60;b&#62;me')
      t.match(page, /&#60;u&#62;&#34;&#39;&#38;\.csv|&#60;u&#62;%22&#39;&#38;\.csv/)
      t.match(response.headers.get('content-security-policy'), /default-src 'none'.*script-src 'self'/)
    }
  })

  await t.test('a run that comes again starts clean: what the first try wrote is gone', async (t) => {
    // A sequence is the one thing a rollback does not take back, so it can tell the first try from the second.
    await world.sql.unsafe(`
      create sequence examples.tries;
      create function examples.fail_once() returns trigger language plpgsql as $$ begin
        if nextval('examples.tries') = 1 then raise 'the lights went out'; end if;
        return new; end $$;
      create trigger fail_once before insert on examples.books for each row when (new.title = 'b600')
        execute function examples.fail_once()`)
    const rows = Array.from({ length: 700 }, (_, i) => `b${i},a,1`)
    const content = [HEADER, ...rows].join('\n')
    const { run_id } = await upload(world, form({}, { name: 'x.csv', content }))
    t.match((await follow(world, run_id)).at(-1), { state: 'SUCCESS', result: { imported: 700 } })
    t.match(await world.rowbeat.run(null, run_id).get(), { attempt: 2 })
    t.equal((await imported(run_id)).length, 700)
  })
})

t.test('uploads that cannot be used are refused with words, and leave no run', async (t) => {
  const world = await setupExamples(t)
  const cases: [string, FormData, number, RegExp][] = [
    ['no file', form({ on_error: 'skip' }), 422, /Choose a CSV file/],
    ['no file chosen', form({}, { name: '', content: '' }), 422, /Choose a CSV file/],
    ['an empty file', form({}, { name: 'x.csv', content: '' }), 422, /empty/],
    ['a picture', form({}, { name: 'x.png', content: Uint8Array.of(0x89, 0x50, 0xff, 0xfe) }), 422, /UTF-8/],
    ['zero bytes', form({}, { name: 'x.csv', content: 'title,author,year\n\0' }), 422, /zero bytes/],
    ['another encoding', form({}, { name: 'x.csv', content: Uint8Array.of(0xcf, 0xf0) }), 422, /UTF-8/],
    [
      'no header',
      form({}, { name: 'x.csv', content: 'a,b,c\n1,2,3' }),
      422,
      /no columns title, author, year/,
    ],
    ['a column less', form({}, { name: 'x.csv', content: 'title,author\n1,2' }), 422, /no column year/],
    ['a choice unknown', form({ on_error: 'maybe' }, { name: 'x.csv', content: HEADER }), 422, /skip.*stop/],
    ['an address', form({ email: 'no one' }, { name: 'x.csv', content: HEADER }), 422, /mail address/],
    ['21 MB', form({}, { name: 'x.csv', content: HEADER + '\n'.repeat(21 << 20) }), 413, /20 MB/],
  ]
  for (const [what, body, status, words] of cases) {
    const response = await fetch(`${world.origin}/import`, { method: 'POST', body })
    t.match(await response.json(), { status, detail: words }, what)
    t.equal(response.status, status, what)
    t.match(response.headers.get('content-type'), 'application/problem+json')
  }
  const json = await fetch(`${world.origin}/import`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  })
  t.equal(json.status, 415)

  const page = await fetch(`${world.origin}/import`, { method: 'POST', body: form({}), ...asBrowser })
  t.equal(page.status, 422)
  t.match(await page.text(), /role="alert">Choose a CSV file first/)
  t.strictSame([...(await world.sql`select from rowbeat.runs`)], [])
})

t.test('the pages of no import are not there', async (t) => {
  const world = await setupExamples(t)
  const other = await world.rowbeat.enqueue('demo.add', { x: 1, y: 2 })
  for (const id of ['nonsense', '019c0000-0000-7000-8000-000000000000', other.id, `${'%00'}`]) {
    for (const path of [`/import/${id}`, `/import/${id}/events`]) {
      const response = await fetch(world.origin + path, asBrowser)
      t.equal(response.status, 404, path)
      t.match(await response.text(), 'There is no such import')
    }
  }
})

t.test('without a worker the page says what it waits for, and needs no script', async (t) => {
  const world = await setupExamples(t)
  const { url } = await upload(world, form({}, { name: 'x.csv', content: `${HEADER}\na,b,1` }))
  const page = await (await fetch(world.origin + url, asBrowser)).text()
  t.match(page, 'Waiting for a worker')
  t.match(page, '<noscript><meta http-equiv="refresh"')
  t.match(page, `data-events="${url}/events"`)
  const list = await (await fetch(`${world.origin}/import`, asBrowser)).text()
  t.match(list, /x\.csv[\s\S]*PENDING/)
})

t.test('closing the app ends the event streams that are open', async (t) => {
  const world = await setupExamples(t)
  const { url } = await upload(world, form({}, { name: 'x.csv', content: `${HEADER}\na,b,1` }))
  const stream = (await fetch(`${world.origin}${url}/events`)).body!.pipeThrough(new TextDecoderStream())
  const reader = stream.getReader()
  t.match((await reader.read()).value, /^event: run\ndata: .*"state":"PENDING"/)
  await within('the app to close', world.app.close(), 3000)
  t.match(await within('the stream to end', reader.read(), 3000), { done: true })
})

t.test('the front page links the apps, and its assets are served to be kept', async (t) => {
  const world = await setupExamples(t)
  const page = await (await fetch(world.origin, asBrowser)).text()
  for (const link of ['/import', '/orders']) t.match(page, `href="${link}"`)
  const assets = [...page.matchAll(/(?:href|src)="(\/examples\/[^"]+)"/g)].map(([, path]) => path!)
  t.equal(new Set(assets).size, 3)
  for (const path of assets) {
    const response = await fetch(world.origin + path)
    t.match(
      { status: response.status, cache: response.headers.get('cache-control') },
      { status: 200, cache: /immutable/ },
    )
  }
})
