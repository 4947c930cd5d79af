/**
 * What Rowbeat must reach, as ratios against a peer of the same round (or as plain limits where no peer is
 * named). `ours` may name two contestants: then the one with the better median stands for "own best". The
 * page prints for each: the floor, what was seen, held or not.
 */
export interface Floor {
  scenario: string
  says: string
  metric: string
  ours: string[]
  /** Contestants compared with; several mean the best of them. None: the figure itself is compared. */
  theirs: string[]
  atLeast?: number
  atMost?: number
}

/** Both with overflow on: the floors hold for what people get. */
const drainBest = ['rowbeat', 'rowbeat-tuned']

const drains: Floor[] = (
  [
    [['graphile'], 0.95, 'bare graphile-worker'],
    [['bullmq'], 1.3, 'BullMQ on Redis'],
    [['pg-boss', 'pg-boss-2'], 1.05, 'pg-boss tuned (the better of two)'],
    [['sql'], 0.36, 'the SQL limit'],
  ] as const
).map(([peers, atLeast, name]) => ({
  scenario: 'drain',
  says: `drain against ${name}`,
  metric: 'rate',
  ours: drainBest,
  theirs: [...peers],
  atLeast,
}))

const enqueues: Floor[] = (
  [
    ['rowbeat@16', 'graphile@16', 8, '16 in flight against add_job'],
    ['rowbeat@16', 'bullmq-always@16', 1.3, '16 in flight against BullMQ with appendfsync always'],
    ['rowbeat@64', 'graphile@64', 14, '64 in flight against add_job'],
    ['rowbeat@64', 'bullmq@64', 1.0, '64 in flight against BullMQ without append-only file'],
    ['rowbeat-busy@tx', 'add_job@tx', 2.0, "in the caller's transaction, queue hot, against add_job"],
    ['rowbeat-busy@tx', 'nothing@tx', 0.5, "in the caller's transaction, queue hot, against no enqueue"],
    ['rowbeat@tx', 'add_job@tx', 2.0, "in the caller's transaction, no worker, against add_job"],
    ['rowbeat@tx', 'nothing@tx', 0.5, "in the caller's transaction, no worker, against no enqueue"],
  ] as const
).map(([ours, theirs, atLeast, says]) => ({
  scenario: 'enqueue',
  says,
  metric: 'rate',
  ours: [ours],
  theirs: [theirs],
  atLeast,
}))

const posts: Floor[] = (
  [
    [16, 3],
    [64, 5],
  ] as const
).flatMap(([count, atLeast]) => [
  {
    scenario: 'post',
    says: `${count} connections against INSERT and add_job by hand`,
    metric: 'rate',
    ours: [`rowbeat@${count}`],
    theirs: [`add_job@${count}`],
    atLeast,
  },
  {
    scenario: 'post',
    says: `p99 at ${count} connections against the same`,
    metric: 'p99',
    ours: [`rowbeat@${count}`],
    theirs: [`add_job@${count}`],
    atMost: 0.6,
  },
])

const watched: Floor[] = (
  [
    ['memory', 140, 'MB for 5,000 streams'],
    ['storeCpu', 2, 'percent of a core of PostgreSQL for 5,000 idle streams'],
  ] as const
).map(([metric, atMost, says]) => ({
  scenario: 'streams',
  says,
  metric,
  ours: ['rowbeat'],
  theirs: [],
  atMost,
}))

const blockeds: Floor[] = ['concurrency', 'rate'].map((kind) => ({
  scenario: 'blocked',
  says: `a claim beside 200,000 runs that wait at a ${kind === 'rate' ? 'rate' : 'concurrency limit'}, against none`,
  metric: 'claim',
  ours: [kind],
  theirs: ['none'],
  atMost: 1.2,
}))

const lives: Floor[] = [
  {
    says: '16 in flight against BullMQ on Redis',
    metric: 'rate',
    ours: ['rowbeat@16', 'rowbeat-tuned@16'],
    theirs: ['bullmq@16'],
    atLeast: 0.8,
  },
  {
    says: '64 in flight against BullMQ on Redis',
    metric: 'rate',
    ours: ['rowbeat@64', 'rowbeat-tuned@64'],
    theirs: ['bullmq@64'],
    atLeast: 1.0,
  },
  {
    says: 'p99 at 64 in flight against BullMQ on Redis',
    metric: 'spanP99',
    ours: ['rowbeat@64', 'rowbeat-tuned@64'],
    theirs: ['bullmq@64'],
    atMost: 0.2,
  },
].map((one) => ({ scenario: 'life', ...one }))

const latencies: Floor[] = (
  [
    ['resultP50', 1.1, 'p50 to the result'],
    ['resultP95', 1.5, 'p95 to the result'],
    ['resultP99', 2, 'p99 to the result'],
  ] as const
).map(([metric, atMost, says]) => ({
  scenario: 'latency',
  says: `${says} against graphile-worker`,
  metric,
  ours: ['rowbeat'],
  theirs: ['graphile'],
  atMost,
}))

const waiting: Floor[] = (['resultP50', 'resultP95'] as const).map((metric) => ({
  scenario: 'latency',
  says: `${metric === 'resultP50' ? 'p50' : 'p95'} with 200,000 waiting elsewhere against none waiting`,
  metric,
  ours: ['rowbeat-waiting'],
  theirs: ['rowbeat'],
  atMost: 1.5,
}))

const schedules: Floor[] = (
  [
    ['schedules-idle', 'queries', ['one'], 1, 'idle cost, queries per poll'],
    ['schedules-idle', 'edit', ['one'], 1000, 'an edit by SQL is picked up and fires, ms'],
    ['schedules-burst', 'over', ['one'], 1000, '10,000 due at one instant, one beat, all done, ms'],
    ['schedules-burst', 'over', ['three'], 1000, '10,000 due at one instant, three beats, all done, ms'],
    ['schedules-steady', 'missing', ['one'], 0, '1,000 firings a second, not fired'],
    ['schedules-steady', 'p99', ['one'], 250, '1,000 firings a second, lateness p99, ms'],
    ['schedules-steady', 'beatCpu', ['one'], 10, "1,000 firings a second, the beat's CPU, % of a core"],
  ] as const
).map(([scenario, metric, ours, atMost, says]) => ({
  scenario,
  says,
  metric,
  ours: [...ours],
  theirs: [],
  atMost,
}))

const panels: Floor[] = (
  [
    ['slowest', 300, 'ms that the slowest page waits for the server, p95'],
    ['storeMore', 2, 'percent of a core of PostgreSQL for 20 viewers'],
    ['finishedSeen', 500, 'an end is seen, p95 ms'],
    ['progressSeen', 500, 'progress is seen, p95 ms'],
    ['startedSeen', 1200, 'a start is seen, p95 ms'],
    ['withPanel', 330, 'MB of the process with the panel'],
  ] as const
).map(([metric, atMost, says]) => ({
  scenario: 'panel',
  says,
  metric,
  ours: ['rowbeat'],
  theirs: [],
  atMost,
}))

export const FLOORS: Floor[] = [
  ...drains,
  ...posts,
  ...watched,
  ...blockeds,
  {
    scenario: 'drain',
    says: 'as installed (10 running) against our own best',
    metric: 'rate',
    ours: ['rowbeat'],
    theirs: drainBest,
    atLeast: 0.8,
  },
  {
    scenario: 'drain',
    says: 'overflow on against overflow off, as installed (its cost; no floor)',
    metric: 'rate',
    ours: ['rowbeat'],
    theirs: ['rowbeat-hot'],
  },
  ...enqueues,
  {
    scenario: 'bulk',
    says: 'against add_jobs',
    metric: 'rate',
    ours: ['rowbeat'],
    theirs: ['graphile'],
    atLeast: 1.2,
  },
  ...lives,
  ...latencies,
  ...waiting,
  {
    scenario: 'memory',
    says: 'idle worker process, MB',
    metric: 'idle',
    ours: ['rowbeat'],
    theirs: [],
    atMost: 130,
  },
  {
    scenario: 'memory',
    says: 'growth from run 100,000 to 1,000,000, MB',
    metric: 'growth',
    ours: ['rowbeat'],
    theirs: [],
    atMost: 30,
  },
  ...schedules,
  ...panels,
]
