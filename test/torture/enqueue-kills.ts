/**
 * An order and its run, in one transaction, by a process that is killed with -9 at a random moment: both are there, or
 * neither. The process (test/fixtures/place-orders.ts) goes round all kinds of transaction it knows, says `begin n` before
 * and `done n` after each commit, and never stops by itself; several are on their way to their deaths at once.
 */
import { startProcess, type Process } from '../helpers/process.ts'
import { emptyTally, type Scenario, type Tally, type Torture } from './scenario.ts'

const AT_ONCE = 3

export const enqueueKills: Scenario = {
  says: 'INSERT order + enqueue in one transaction, kill -9 at any point: both or neither',
  count: 1000,
  async run(torture: Torture): Promise<Tally> {
    const { world, count, random, log } = torture
    await world.sql`create table orders (id text primary key, run_id uuid)`
    const tally = emptyTally()
    const acked = new Set<string>()
    const begun = new Set<string>()
    let next = 0
    const killOne = async (): Promise<void> => {
      const life = next++
      const child = startProcess(torture, 'test/fixtures/place-orders.ts', {
        env: { ROWS_URL: world.url, LIFE: String(life) },
      })
      await child.line(/^begin /, 30_000)
      await until(child, 1 + Math.floor(random() * 20))
      await pauseFor(random() * 4)
      child.kill('SIGKILL')
      await child.ended()
      for (const line of child.stdout().split('\n')) {
        const [word, id] = line.split(' ')
        if (word === 'begin') begun.add(id!)
        if (word === 'done') acked.add(id!)
      }
      if (++tally.faults % 100 === 0) log(`${tally.faults} kills, ${acked.size} orders`)
    }
    const lane = async (): Promise<void> => {
      while (next < count) await killOne()
    }
    await Promise.all(Array.from({ length: AT_ONCE }, lane))
    await settle(torture)
    return await countUp(torture, tally, begun, acked)
  },
}

/** Waits for the n-th commit of the child's life: where in its rounds it dies is the seed's choice. */
async function until(child: Process, commits: number): Promise<void> {
  while ((child.stdout().match(/^done /gm)?.length ?? 0) < commits) await pauseFor(0.5)
}

function pauseFor(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** The server notices a dead client when it next speaks to it: what was on its way is over when its sessions are. */
async function settle({ world }: Torture): Promise<void> {
  const sessions = async (): Promise<number> =>
    (
      await world.admin`select count(*)::int as n from pg_stat_activity where application_name = 'place-orders' and datname = current_database()`
    )[0]!.n
  while ((await sessions()) > 0) await pauseFor(20)
}

async function countUp(
  { world }: Torture,
  tally: Tally,
  begun: Set<string>,
  acked: Set<string>,
): Promise<Tally> {
  const rows = await world.sql<
    { order_id: string | null; run_order: string | null; same: boolean; times: number }[]
  >`
    select o.id as order_id, r.input->>'order' as run_order, o.run_id = r.id as same, count(*) over (partition by r.input->>'order')::int as times
    from orders o full join rowbeat.runs r on r.input->>'order' = o.id`
  const found = new Set<string>()
  for (const { order_id: order, run_order: run, same, times } of rows) {
    if (order === null || run === null || !same || !begun.has(order)) tally.unexpected++
    else if (times > 1) tally.duplicated++
    else {
      tally.ok++
      found.add(order)
    }
  }
  tally.attempts = begun.size
  tally.acked = acked.size
  tally.lost = [...acked].filter((order) => !found.has(order)).length
  tally.recovered = [...found].filter((order) => !acked.has(order)).length
  return tally
}
