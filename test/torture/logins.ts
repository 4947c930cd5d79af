/**
 * Guessing passwords at two API processes that share a database, in three ways at once: one account from one address, one account from as many
 * addresses as there are guesses, as many accounts as there are guesses from one address. Answered 401 means that a password was compared;
 * 429 that it was not. In no minute are more than ten compared, of each kind; the owner of the account that is guessed at comes in all the while from
 * where he always does.
 *
 * And how long an answer takes: an account that is there and one that is not are tried in turn, and the medians of the times are compared.
 */
import { createHash } from 'node:crypto'
import { hashPassword } from '../../src/auth/password.ts'
import { saveUser } from '../../src/db/statements/users.ts'
import { startProcess } from '../helpers/process.ts'
import { pauseFor, percentile } from './crew.ts'
import { emptyTally, type Scenario, type Tally, type Torture } from './scenario.ts'

const OVER_MS = 125_000
const COMPARED_MAX = 10
const DIFFERENCE_MAX = 0.05
const [OWNER, PASSWORD] = ['owner@example.com', 'nine green bottles']

const digest = (text: string): string => createHash('sha256').update(text).digest('hex')

interface Guess {
  email: string
  address: string
}

type Login = (guess: Guess, password: string) => Promise<number>

/** Two API processes, two accounts, and a way to sign in from any address; answers the status. */
async function openDoors({ world, teardown }: Torture, tally: Tally): Promise<Login> {
  const env = {
    DATABASE_URL: world.url,
    PORT: '0',
    ROWBEAT_RATE_LIMIT: 'none',
    ROWBEAT_TRUST_PROXY: '127.0.0.1',
    ROWBEAT_TASKS: '',
  }
  const bases = await Promise.all(
    [1, 2].map(async () => {
      const api = startProcess({ teardown }, 'bin/rowbeat.js', { args: ['api'], env })
      const [, url] = await api.line(/"url":"(http[^"]+)"/, 30_000)
      return url!
    }),
  )
  const hash = await hashPassword(PASSWORD)
  for (const email of [OWNER, 'other@example.com'])
    await saveUser(world.db, { email, passwordHash: hash, role: 'viewer' })
  let turn = 0
  return async ({ email, address }, password) => {
    const response = await fetch(`${bases[turn++ % bases.length]}/v1/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': address },
      body: JSON.stringify({ email, password }),
    })
    await response.arrayBuffer()
    if (response.status === 429 && !response.headers.get('retry-after')) tally.unexpected++
    return response.status
  }
}

async function guessPasswords(torture: Torture): Promise<Tally> {
  const { world, count, random, log } = torture
  const tally = emptyTally()
  const login = await openDoors(torture, tally)
  // When a password may be compared is known exactly where it is counted.
  await world.admin.unsafe(`create table public.tickets (subject text, at timestamptz);
    create function public.note_ticket() returns trigger language plpgsql security definer as $$ begin insert into public.tickets values (new.subject, new.last_at); return null; end $$;
    create trigger note_ticket after update on rowbeat.login_failures for each row when (new.failures > old.failures or new.last_at > old.last_at) execute function public.note_ticket();
    grant select on public.tickets to public`)
  const anywhere = (): string =>
    [10, 1, 2, 3].map((n) => (n === 10 ? n : Math.floor(random() * 256))).join('.')

  /** Guesses spread over two minutes, a third of them at once in the beginning; how many were compared. */
  const attack = async (guess: (n: number) => Guess): Promise<number> => {
    let compared = 0
    await Promise.all(
      Array.from({ length: count }, async (_, n) => {
        await pauseFor(n < count / 3 ? 0 : random() * OVER_MS)
        tally.attempts++
        const status = await login(guess(n), 'nine brown bottles')
        if (status === 401) compared++
        else if (status === 429) tally.ok++
        else tally.unexpected++
      }),
    )
    return compared
  }
  const home = { email: OWNER, address: '192.0.2.1' }
  if ((await login(home, PASSWORD)) !== 200) tally.unexpected++
  await world.admin`delete from tickets`
  const comesIn = async (): Promise<void> => {
    for (let n = 0; n < 10; n++) {
      await pauseFor(OVER_MS / 12)
      const status = await login(home, PASSWORD)
      if (status !== 200) tally.lost++
    }
  }
  const [one, spread, many] = await Promise.all([
    attack(() => ({ email: 'other@example.com', address: '198.51.100.1' })),
    attack(() => ({ email: OWNER, address: anywhere() })),
    attack((n) => ({ email: `person${n}@example.com`, address: '203.0.113.1' })),
    comesIn(),
  ])
  tally.faults = 3
  for (const [what, compared, subject] of [
    ['one account, one address', one, `account:${digest('other@example.com')}`],
    ['one account, any address', spread, `account:${digest(OWNER!)}`],
    ['any account, one address', many, 'address:203.0.113.1'],
  ] as const) {
    const [row] = await world.sql<
      { n: number; most: number }[]
    >`select count(*)::int as n, coalesce(max(x.n), 0)::int as most
      from (select count(*) over (order by at range between current row and interval '59999 milliseconds' following) as n from tickets where subject = ${subject}) x`
    log(
      `${what}: ${count} wrong, ${compared} compared in ${OVER_MS / 1000} s, at most ${row!.most} in a minute`,
    )
    if (row!.most > COMPARED_MAX || compared === 0 || compared > row!.n) tally.unexpected++
  }
  return tally
}

/** In turn, so that whatever else the machine does meets both alike. */
async function compareTimes(torture: Torture): Promise<Tally> {
  const { world, count, log } = torture
  const tally = emptyTally()
  const login = await openDoors(torture, tally)
  const times: Record<string, number[]> = { [OWNER!]: [], 'nobody@example.com': [] }
  const names = Object.keys(times)
  for (let n = 0; n < count; n++) {
    const email = names[(n + Math.floor(n / 2)) % 2]!
    await world.sql`delete from rowbeat.login_failures`
    const began = performance.now()
    if ((await login({ email, address: '192.0.2.7' }, 'nine brown bottles')) !== 401) tally.unexpected++
    times[email]!.push(performance.now() - began)
    tally.attempts++
  }
  const [known, unknown] = Object.values(times).map((list) =>
    percentile(
      list.toSorted((a, b) => a - b),
      0.5,
    ),
  )
  const apart = Math.abs(known! - unknown!) / known!
  const percent = (100 * apart).toFixed(1)
  log(`median: known ${known!.toFixed(1)} ms, unknown ${unknown!.toFixed(1)} ms, ${percent} % apart`)
  if (apart >= DIFFERENCE_MAX) tally.unexpected++
  return tally
}

export const logins: Scenario = {
  says: 'Wrong passwords at two API processes: ten compared a minute at most, and the owner comes in.',
  count: 1000,
  run: guessPasswords,
}

export const loginTimes: Scenario = {
  says: 'Wrong passwords of names that are known and not, in turn: no telling them apart by the time it takes.',
  count: 400,
  run: compareTimes,
}
