/** What SQL refuses: each wrong field is named, has its SQLSTATE, and nothing at all is written. */
import t from 'tap'
import { setup } from '../helpers/bundle.ts'

const { sql } = await setup(t)

async function refusal(text: string): Promise<{ code: string; message: string; detail?: string }> {
  try {
    await sql.unsafe(text)
  } catch (error) {
    return error as { code: string; message: string }
  }
  return { code: 'none', message: 'was accepted' }
}

const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`

const BODIES: [string, string, string?][] = [
  ['task', '{}'],
  ['task', '{"input": {}}'],
  ['task', '{"task": null}'],
  ['task', '{"task": 5}'],
  ['task', '{"task": true}'],
  ['task', '{"task": ["a"]}'],
  ['task', '{"task": ""}'],
  ['task', '{"task": "1a"}'],
  ['task', '{"task": "a:b"}'],
  ['task', '{"task": "../../x"}'],
  ['task', '{"task": "a b"}'],
  ['task', '{"task": "a\\n"}'],
  ['task', '{"task": "задача"}'],
  ['task', `{"task": "${'x'.repeat(91)}"}`],
  ['run', '5'],
  ['run', 'null'],
  ['run', '"demo.add"'],
  ['run', '[1]'],
  ['colour', '{"task": "a", "colour": 1}'],
  ['kept', '{"task": "a", "kept": "00000000-0000-7000-8000-000000000000"}'],
  ['queue', '{"task": "a", "queue": "High"}'],
  ['queue', '{"task": "a", "queue": ""}'],
  ['queue', '{"task": "a", "queue": 5}'],
  ['queue', '{"task": "a", "queue": "a:b"}'],
  ['queue', `{"task": "a", "queue": "${'x'.repeat(33)}"}`],
  ['priority', '{"task": "a", "priority": 32768}'],
  ['priority', '{"task": "a", "priority": -32769}'],
  ['priority', '{"task": "a", "priority": 0.5}'],
  ['priority', '{"task": "a", "priority": "0"}'],
  ['priority', '{"task": "a", "priority": 1e400}'],
  ['delay', '{"task": "a", "delay": -1}'],
  ['delay', '{"task": "a", "delay": "5 minuts"}'],
  ['delay', '{"task": "a", "delay": "-5s"}'],
  ['delay', '{"task": "a", "delay": 1e400}'],
  ['delay', '{"task": "a", "delay": "99999999999999 weeks"}'],
  ['delay', '{"task": "a", "delay": true}'],
  ['delay', '{"task": "a", "delay": {}}'],
  ['eta', '{"task": "a", "eta": "soon"}'],
  ['eta', '{"task": "a", "eta": "tomorrow"}'],
  ['eta', '{"task": "a", "eta": "infinity"}'],
  ['eta', '{"task": "a", "eta": 5}'],
  ['eta', '{"task": "a", "eta": "2026-02-30T00:00:00Z"}'],
  ['eta', '{"task": "a", "eta": "2026-01-31T12:00:00"}'],
  ['eta', '{"task": "a", "eta": "2026-01-31T12:00:00Z", "delay": 5}'],
  ['expires', '{"task": "a", "expires": "never"}'],
  ['expires', '{"task": "a", "expires": "infinity"}'],
  ['expires', '{"task": "a", "expires": -5}'],
  ['expires', '{"task": "a", "expires": []}'],
  ['id', '{"task": "a", "id": "1"}'],
  ['id', '{"task": "a", "id": 1}'],
  ['id', '{"task": "a", "id": "00000000-0000-0000-0000-00000000000g"}'],
  ['parent', '{"task": "a", "parent": "me"}'],
  ['unique_key', '{"task": "a", "unique_key": ""}'],
  ['unique_key', '{"task": "a", "unique_key": 5}'],
  ['unique_key', `{"task": "a", "unique_key": "${'x'.repeat(513)}"}`],
  ['concurrency_key', '{"task": "a", "concurrency_key": ""}'],
  ['rate_key', '{"task": "a", "rate_key": []}'],
  ['on_conflict', '{"task": "a", "unique_key": "k", "on_conflict": "ignore"}'],
  ['tags', '{"task": "a", "tags": "a"}'],
  ['tags', '{"task": "a", "tags": [1]}'],
  ['tags', '{"task": "a", "tags": [null]}'],
  ['tags', '{"task": "a", "tags": [""]}'],
  ['tags', `{"task": "a", "tags": ["${'x'.repeat(65)}"]}`],
  ['tags', `{"task": "a", "tags": [${Array(21).fill('"x"').join()}]}`],
  ['headers', '{"task": "a", "headers": []}'],
  ['headers', '{"task": "a", "headers": "x"}'],
  ['headers', `{"task": "a", "headers": {"x": "${'x'.repeat(65_536)}"}}`],
  ['headers', `{"task": "a", "headers": {"x": ${deep(70)}}}`],
  ['attempts_max', '{"task": "a", "attempts_max": 0}'],
  ['attempts_max', '{"task": "a", "attempts_max": 1.5}'],
  ['attempts_max', '{"task": "a", "attempts_max": "3"}'],
  ['attempts_max', '{"task": "a", "attempts_max": 1000001}'],
  ['retry', '{"task": "a", "retry": 5}'],
  ['retry', '{"task": "a", "retry": {"attempts": 5}}'],
  ['retry', '{"task": "a", "retry": {"backoff": "fibonacci"}}'],
  ['retry', '{"task": "a", "retry": {"backoff": 5}}'],
  ['retry', '{"task": "a", "retry": {"backoff": []}}'],
  ['retry', '{"task": "a", "retry": {"backoff": ["1s", "soon"]}}'],
  ['retry', '{"task": "a", "retry": {"base": "soon"}}'],
  ['retry', '{"task": "a", "retry": {"cap": -1}}'],
  ['retry', '{"task": "a", "retry": {"jitter": "yes"}}'],
  ['time_limit', '{"task": "a", "time_limit": "x"}'],
  ['soft_time_limit', '{"task": "a", "soft_time_limit": -1}'],
  ['soft_time_limit', '{"task": "a", "time_limit": 5, "soft_time_limit": "6s"}'],
  ['retention', '{"task": "a", "retention": "for ever"}'],
  ['retention', '{"task": "a", "retention": 99999999999}'],
  ['ignore_result', '{"task": "a", "ignore_result": "yes"}'],
  ['input', `{"task": "a", "input": "${'x'.repeat(1_600_000)}"}`, '54000'],
  ['input', `{"task": "a", "input": ${deep(70)}}`],
  ['input', `{"task": "a", "input": ${deep(5000)}}`],
  ['input', `{"task": "a", "queue": "high", "input": ${deep(70)}}`],
]
t.test('enqueue_many refuses each wrong field by name, alone and among good ones', async (t) => {
  for (const [field, body, code = '22023'] of BODIES) {
    const literal = body.replaceAll("'", "''")
    const alone = await refusal(`select * from rowbeat.enqueue_many('[${literal}]')`)
    t.match(
      alone,
      { code, message: new RegExp(`^${field}: `) },
      `${field} of ${body.slice(0, 80)}: ${alone.message.slice(0, 120)}`,
    )
    const third = await refusal(
      `select * from rowbeat.enqueue_many('[{"task":"good"},{"task":"good","unique_key":"k"},${literal},{"task":"good"}]')`,
    )
    t.match(third, { code, message: new RegExp(`^${field}: `), detail: '2' }, 'its place is the detail')
  }
  for (const runs of ['{}', '5', 'null', '"x"']) {
    t.match(await refusal(`select * from rowbeat.enqueue_many('${runs}')`), {
      code: '22023',
      message: /^runs: must be a JSON array/,
    })
  }
  t.match(await refusal(`select * from rowbeat.enqueue_many(null)`), { code: '22023', message: /^runs: / })
})

const CALLS: [string, string, string?][] = [
  ['task', `null`],
  ['task', `'a:b'`],
  ['task', `'a b', '{}'`],
  ['queue', `'a', queue => 'No'`],
  ['priority', `'a', priority => 40000`],
  ['delay', `'a', delay => '-1 second'`],
  ['delay', `'a', delay => '2000 years'`],
  ['eta', `'a', eta => 'infinity'`],
  ['eta', `'a', eta => now(), delay => '1s'`],
  ['expires', `'a', expires => '-infinity'`],
  ['tags', `'a', tags => array['a', null]`],
  ['tags', `'a', tags => array['']`],
  ['tags', `'a', tags => array[array['a']]`],
  ['unique_key', `'a', unique_key => ''`],
  ['headers', `'a', headers => '[]'`],
  ['options', `'a', options => '[]'`],
  ['options', `'a', options => '5'`],
  ['options', `'a', options => '{"queue": "high"}'`],
  ['options', `'a', options => '{"task": "b"}'`],
  ['options', `'a', options => '{"input": {}}'`],
  ['on_conflict', `'a', unique_key => 'k', options => '{"on_conflict": 5}'`],
  ['attempts_max', `'a', options => '{"attempts_max": 0}'`],
  ['retry', `'a', options => '{"retry": "often"}'`],
]
t.test('enqueue refuses each wrong parameter by name', async (t) => {
  for (const [field, parameters, code = '22023'] of CALLS) {
    const refused = await refusal(`select rowbeat.enqueue(${parameters})`)
    t.match(refused, { code, message: new RegExp(`^${field}: `) }, `${parameters}: ${refused.message}`)
  }
  t.match(await refusal(`select rowbeat.enqueue('a', '{"x": "\\u0000"}')`), { code: '22P05' })
  t.match(await refusal(`select rowbeat.enqueue('a', '{"x": "\\ud800"}')`), { code: '22P02' })
  t.match(await refusal(`select rowbeat.enqueue('a', '${deep(20_000)}')`), { code: '54001' })
  t.match(await refusal(`select rowbeat.enqueue('a', id => 'me')`), { code: '22P02' })
  t.match(await refusal(`select rowbeat.enqueue('a', tags => array[E'\\x00'])`), { code: /^22/ })
})

t.test('nothing of all that was written', async (t) => {
  t.match(
    await sql`select (select count(*)::int from rowbeat_queue._private_jobs) as jobs, (select count(*)::int from rowbeat.parked) as parked,
      (select count(*)::int from rowbeat.unique_keys) as keys, (select count(*)::int from rowbeat_queue._private_tasks) as names`,
    [{ jobs: 0, parked: 0, keys: 0, names: 0 }],
  )
})

t.test('what stands at the edge of what is refused is taken', async (t) => {
  const taken = [
    `{"task": "${'x'.repeat(90)}", "queue": "${'q'.repeat(32)}", "priority": -32768}`,
    `{"task": "a", "priority": 32767, "delay": "250ms", "expires": "10 minutes", "time_limit": 1.5, "retention": "5200 weeks"}`,
    `{"task": "a", "tags": [${Array(20)
      .fill(`"${'👩'.repeat(64)}"`)
      .join()}], "unique_key": "${'👩'.repeat(512)}"}`,
    `{"task": "a", "id": "0192A0F0-0000-7000-8000-00000000000A", "headers": {"a": null}}`,
    `{"task": "a", "eta": "2026-01-31T12:00:00.5+05:30", "expires": "2999-01-01 00:00:00+00"}`,
    `{"task": "a", "retry": {"backoff": ["1s", 5], "base": "1s", "cap": "10m", "jitter": false}, "attempts_max": 1000000}`,
    `{"task": "a", "input": ${deep(64)}}`,
    `{"task": "a", "input": "${'x'.repeat(1_048_000)}"}`,
    `{"task": "a", "queue": null, "priority": null, "delay": null, "eta": null, "expires": null, "id": null, "unique_key": null, "tags": null, "headers": null, "retry": null}`,
    `{"task": "a", "input": null}`,
  ]
  for (const body of taken) {
    t.equal(
      (await sql.unsafe(`select id from rowbeat.enqueue_many('[${body}]')`)).length,
      1,
      body.slice(0, 100),
    )
  }
  const numbers = `[${'1,'.repeat(99_999)}1]`
  t.equal(
    (await sql.unsafe(`select id from rowbeat.enqueue_many('[{"task": "a", "input": ${numbers}}]')`)).length,
    1,
    '200 kB of small numbers are not called larger than 1 MiB because jsonb takes more',
  )
  t.equal((await sql`select * from rowbeat.enqueue_many('[]')`).length, 0)
  t.match(await sql`select headers, tags, attempts_max from rowbeat.runs where headers ? 'a' limit 1`, [
    { headers: { a: null } },
  ])
  t.equal(
    (
      await sql`select from rowbeat.runs where headers is null or tags is null or jsonb_typeof(headers) <> 'object'`
    ).length,
    0,
  )
})
