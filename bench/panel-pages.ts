/**
 * What the pages of the panel ask for when they are opened (admin/ui): groups one after another, the requests of a group at once.
 * Each round asks something else of the same kind, so that no page is measured by one lucky answer.
 */

export type Ask = (path: string) => Promise<any>

export interface Page {
  name: string
  open(round: number): string[][]
}

const at = <T>(list: readonly T[], round: number): T => list[round % list.length]!
const q = (text: string): string => `q=${encodeURIComponent(text)}`

const FILTERS = [
  'state=FAILURE',
  'state=PENDING',
  'state=STARTED,PROGRESS',
  'queue=media',
  'tag=vip',
  'task=tax.rate',
  'state=SUCCESS&queue=billing',
  q('task:mail* state:failed'),
  q('duration:>10s'),
  q('worker:worker-3'),
]
/** Of which there is hardly one: what a page does that gives up looking. */
const RARE = [
  'input.email:nobody',
  'error:unheard',
  'duration:>5h',
  'state:failed queue:media',
  'created:<-20d',
].map(q)
const PERIODS = ['15m', '1h', '6h', '24h', '7d', '30d', '90d']
const KEYS = ['queue', 'task', 'worker']
const AUDITS = [
  '',
  '?action=queue.pause',
  '?target_kind=schedule&target=thing%2012',
  '?actor=person3%40example.net',
  '?action=nothing',
]

/** Runs and schedules that are looked at are some of those that lists show. */
export async function listPages(ask: Ask): Promise<Page[]> {
  const idsOf = async (query: string): Promise<string[]> =>
    (await ask(`/v1/runs?limit=5&${query}`)).items.map(({ id }: { id: string }) => id)
  const lists = await Promise.all(
    ['SUCCESS', 'FAILURE', 'PENDING', 'STARTED,PROGRESS'].map((state) => idsOf(`state=${state}`)),
  )
  const runs = Array.from({ length: 5 }, (_, n) => lists.flatMap((list) => list.slice(n, n + 1))).flat()
  const schedules: string[] = (await ask('/v1/schedules?limit=50&order=name')).items.map(
    ({ id }: { id: string }) => id,
  )
  const runPage = (id: string): string[][] => [
    [`/v1/runs/${id}`, `/v1/runs/${id}/attempts`],
    [`/v1/runs?parent=${id}&limit=20`, `/v1/runs?retry_of=${id}&limit=20`, `/v1/runs/${id}/logs`],
  ]
  const schedulePage = (id: string): string[][] => [
    [`/v1/schedules/${id}`],
    [
      `/v1/schedules/${id}/firings?limit=50`,
      `/v1/schedules:recent?ids=${id}&count=60`,
      `/v1/schedules/${id}/versions?limit=50`,
    ],
  ]
  const overview = (round: number): string[][] => [
    [
      `/v1/stats?period=${at(PERIODS, round)}&by=${at(KEYS, Math.floor(round / PERIODS.length))}`,
      '/v1/problems',
    ],
  ]
  const pages: Record<string, (round: number) => string[][]> = {
    Overview: overview,
    Problems: () => [['/v1/problems']],
    Runs: () => [['/v1/runs?limit=50', '/v1/runs:count', '/v1/tasks']],
    'Runs, filtered': (round) => [[`/v1/runs?limit=50&${at(FILTERS, round)}`]],
    'Runs, of a rare kind': (round) => [[`/v1/runs?limit=50&${at(RARE, round)}`]],
    Run: (round) => runPage(at(runs, round)),
    Failures: (round) => [[`/v1/failures?period=${at(['24h', '1h', '7d'], round)}`, '/v1/tasks']],
    Schedules: () => [
      ['/v1/schedules?limit=50&order=name'],
      [`/v1/schedules:recent?ids=${schedules.join(',')}&count=20`],
    ],
    Schedule: (round) => schedulePage(at(schedules, round)),
    Timeline: () => [['/v1/schedules:timeline']],
    Firings: (round) => [[`/v1/firings${at(['', '?state=skipped', '?state=missed'], round)}`]],
    Queues: () => [['/v1/queues']],
    Queue: () => [['/v1/queues/mail', '/v1/stats?period=1h&by=queue']],
    Workers: () => [['/v1/workers']],
    Worker: (round) => [[`/v1/workers/worker-${round % 40}`]],
    Audit: (round) => [[`/v1/audit${at(AUDITS, round)}`]],
    'Keys, users': () => [['/v1/keys', '/v1/users']],
  }
  return Object.entries(pages).map(([name, open]) => ({ name, open }))
}
