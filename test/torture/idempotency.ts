/**
 * One Idempotency-Key from fifty connections at once, while the server they ask is killed with -9 and started again on the
 * same port: whoever got no answer asks again, as clients do. However many were answered, by however many servers, there
 * is one run, and everybody was told the same one.
 */
import { issueKey } from '../../src/auth/key.ts'
import { startProcess, type Process } from '../helpers/process.ts'
import { emptyTally, type Scenario, type Tally, type Torture } from './scenario.ts'
import { pauseFor } from './crew.ts'

const CONNECTIONS = 50
/** A server that is killed before anybody was answered shows nothing of answers that were lost. */
const LIFE_MS = 25

interface Answer {
  id: string
  status: number
}

export const idempotency: Scenario = {
  says: 'one Idempotency-Key from 50 connections while the server is killed and started: one run',
  count: 100,
  async run(torture: Torture): Promise<Tally> {
    const { world, count, random, log } = torture
    const { key } = await issueKey(world.db, { name: 'torture', scopes: ['runs:write', 'runs:read'] })
    await world.sql`insert into rowbeat.tasks (name, queue) values ('torture.once', 'default')`
    const tally = emptyTally()
    let server = await startApi(torture, 0)
    const port = Number(new URL(server.url).port)
    for (let round = 0; round < count; round++) {
      const ask = (): Promise<Answer> => askUntilAnswered(server.url, key, `round ${round}`, tally)
      const answers = Promise.all(Array.from({ length: CONNECTIONS }, ask))
      await pauseFor(random() * LIFE_MS)
      server.process.kill('SIGKILL')
      await server.process.ended()
      tally.faults++
      server = await startApi(torture, port)
      const told = await answers
      tally.acked += told.length
      const ids = new Set(told.map(({ id }) => id))
      const found =
        await world.sql`select id::text as id from rowbeat.runs where input->>'round' = ${`round ${round}`}`
      tally.ok += found.filter(({ id }) => ids.has(id)).length
      tally.lost += [...ids].filter((id) => !found.some((row) => row['id'] === id)).length
      tally.duplicated += Math.max(0, found.length - 1) + (ids.size - 1)
      // All were told that it stood already: whoever made it was killed before it could say so.
      if (told.every(({ status }) => status === 200)) tally.recovered++
      if (tally.faults % 20 === 0)
        log(`${tally.faults} kills, ${tally.attempts} requests, ${tally.recovered} recovered`)
    }
    return tally
  },
}

async function startApi(torture: Torture, port: number): Promise<{ process: Process; url: string }> {
  const process = startProcess(torture, 'bin/rowbeat.js', {
    args: ['api', '--json', '--port', String(port)],
    env: { DATABASE_URL: torture.world.url },
  })
  const [, url] = await process.line(/"url":\s*"([^"]+)"/, 30_000)
  return { process, url: url! }
}

/** What is not answered is asked again: the connection refused, or cut with the answer on its way. */
async function askUntilAnswered(url: string, key: string, round: string, tally: Tally): Promise<Answer> {
  for (;;) {
    tally.attempts++
    try {
      const response = await fetch(`${url}/v1/runs`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'application/json',
          'idempotency-key': `"${round}"`,
        },
        body: JSON.stringify({ task: 'torture.once', input: { round } }),
      })
      const { id } = (await response.json()) as { id: string }
      if (response.status === 202 || response.status === 200) return { id, status: response.status }
      if (response.status !== 503) throw new RangeError(`answered ${response.status}`)
    } catch (error) {
      if (error instanceof RangeError) throw error
    }
    await pauseFor(100)
  }
}
