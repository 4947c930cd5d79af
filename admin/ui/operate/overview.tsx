/**
 * How it does, at a glance: one sentence that says whether anything is wrong, the figures of now, what finished in a period, and the
 * queues. The figures of now come each second by the live stream; the period is asked again now and then.
 */
import type { ReactNode } from 'react'
import {
  Card,
  Chart,
  client,
  countText,
  Duration,
  durationText,
  Link,
  Loading,
  localeTag,
  Page,
  Select,
  t,
  Trouble,
  useLoad,
  useQuery,
  type Point,
} from '../kit/kit.ts'
import type { StatsDocument, StatsKey } from '../../../src/control/stats.ts'
import type { TroubleDocument } from '../../../src/control/problems.ts'
import { LatencyTable } from './latency.tsx'
import { shareText, useFigures, useRefresh, type LiveFigures } from './live.ts'
import { runsPlace } from './places.ts'
import { QueueTable, type QueueRow } from './queue-table.tsx'

const PERIODS: readonly [period: string, seconds: number][] = [
  ['15m', 900],
  ['1h', 3600],
  ['6h', 21_600],
  ['24h', 86_400],
  ['7d', 604_800],
  ['30d', 2_592_000],
  ['90d', 7_776_000],
]
const KEYS: readonly StatsKey[] = ['queue', 'task', 'worker']
/** Longer periods change less from one look to the next. */
const LOOK_S = 10
const LONG_LOOK_S = 60

export function OverviewPage(): ReactNode {
  const [query, setQuery] = useQuery()
  const period = PERIODS.find(([name]) => name === query.period) ?? PERIODS[1]!
  const by = KEYS.find((key) => key === query.by) ?? 'queue'
  const figures = useFigures()
  const stats = useLoad(() => client.getStats({ period: period[0], by }), [period[0], by])
  const problems = useLoad(() => client.listProblems(), [])
  useRefresh(stats.reload, period[1] > 21_600 ? LONG_LOOK_S : LOOK_S)
  const word = durationText(period[1])
  return (
    <Page
      title={t('overview.title')}
      actions={
        <Select
          aria-label={t('overview.period')}
          value={period[0]}
          onChange={(value) => setQuery({ period: value }, { replace: true })}
          options={PERIODS.map(([value, seconds]) => ({
            value,
            label: t('overview.last', { period: durationText(seconds) }),
          }))}
        />
      }
    >
      <Verdict figures={figures} first={problems.value?.items ?? null} />
      <Tiles figures={figures} stats={stats.value} period={word} />
      {stats.error ? <Trouble error={stats.error} retry={stats.reload} /> : null}
      <Card title={t('overview.throughput')}>
        {stats.value ? <Throughput stats={stats.value} /> : <Loading />}
      </Card>
      <Card title={t('overview.queues')}>
        <QueueTable rows={rowsOf(figures, stats.value)} />
      </Card>
      <Card
        title={t('overview.latency')}
        actions={
          <Select
            aria-label={t('overview.by')}
            value={by}
            onChange={(value) => setQuery({ by: value }, { replace: true })}
            options={[
              { value: 'queue', label: t('overview.byQueue') },
              { value: 'task', label: t('overview.byTask') },
              { value: 'worker', label: t('overview.byWorker') },
            ]}
          />
        }
      >
        {stats.value ? <LatencyTable by={stats.value.by} groups={stats.value.groups} /> : <Loading />}
      </Card>
    </Page>
  )
}

/** What is wrong, in one sentence, or that nothing is. */
function Verdict({
  figures,
  first,
}: {
  figures: LiveFigures | null
  first: readonly TroubleDocument[] | null
}): ReactNode {
  const worst = figures ? figures.problems.first : (first?.[0] ?? null)
  const count = figures ? figures.problems.errors + figures.problems.warnings : (first?.length ?? 0)
  if (!figures && !first) return <Loading />
  if (!worst) {
    const words = figures && {
      running: countText(figures.running, localeTag()),
      waiting: countText(figures.waiting.PENDING, localeTag(), figures.waiting.capped),
      workers: figures.workers.length,
      count: figures.workers.length,
    }
    return (
      <p className="rb-verdict rb-verdict-ok" role="status">
        <strong>{t('overview.well')}</strong> {words ? t('overview.wellText', words) : null}
      </p>
    )
  }
  return (
    <p className={`rb-verdict rb-verdict-${worst.level === 'error' ? 'bad' : 'warn'}`} role="status">
      <strong>{worst.detail}</strong>{' '}
      <Link to="/pages/problems">
        {count > 1 ? t('overview.andMore', { count: count - 1 }) : t('overview.toProblems')}
      </Link>
    </p>
  )
}

function Tiles({
  figures,
  stats,
  period,
}: {
  figures: LiveFigures | null
  stats: StatsDocument | undefined
  period: string
}): ReactNode {
  const now = figures ? { ...figures.waiting, RUNNING: figures.running } : stats?.now
  const oldest = figures ? figures.oldest_age : oldestOf(stats)
  const { succeeded = 0, failed = 0 } = stats?.finished ?? {}
  const share = succeeded + failed === 0 ? 0 : failed / (succeeded + failed)
  const figure = (count: number | undefined, capped = false): ReactNode =>
    count === undefined ? '–' : countText(count, localeTag(), capped)
  return (
    <div className="rb-tiles rb-tiles-many">
      <Tile name={t('overview.waiting')} to={runsPlace({ state: 'PENDING' })}>
        {figure(now?.PENDING, now?.capped)}
      </Tile>
      <Tile name={t('overview.scheduled')} to={runsPlace({ state: 'SCHEDULED' })}>
        {figure(now?.SCHEDULED, now?.capped)}
      </Tile>
      <Tile name={t('overview.retrying')} to={runsPlace({ state: 'RETRY' })}>
        {figure(now?.RETRY, now?.capped)}
      </Tile>
      <Tile
        name={t('overview.running')}
        to={runsPlace({ state: 'STARTED,PROGRESS' })}
        hint={figures ? t('overview.ofSlots', { slots: figures.slots }) : undefined}
      >
        {figure(now?.RUNNING)}
      </Tile>
      <Tile name={t('overview.oldest')}>
        <Duration seconds={oldest === null ? null : Math.round(oldest)} />
      </Tile>
      <Tile name={t('overview.rate')} to={figures ? '/resources/workers' : undefined}>
        {rateText(figures)}
      </Tile>
      <Tile
        name={t('overview.failed')}
        to="/pages/failures"
        hint={t('overview.failedOf', { share: shareText(share), period })}
      >
        {figure(stats?.finished.failed)}
      </Tile>
    </div>
  )
}

function Tile({
  name,
  to,
  hint,
  children,
}: {
  name: string
  to?: string
  hint?: string
  children: ReactNode
}): ReactNode {
  return (
    <div className="rb-tile">
      <div className="rb-tile-name">{to ? <Link to={to}>{name}</Link> : name}</div>
      <div className="rb-tile-value">{children}</div>
      {hint ? <div className="rb-hint">{hint}</div> : null}
    </div>
  )
}

function rateText(figures: LiveFigures | null): string {
  const { throughput } = figures ?? {}
  if (!throughput) return '–'
  const rate = throughput.succeeded + throughput.failed + throughput.revoked
  return countText(rate >= 10 ? Math.round(rate) : Math.round(rate * 10) / 10, localeTag())
}

function oldestOf(stats: StatsDocument | undefined): number | null {
  const ages = stats?.queues.flatMap(({ oldest_age: age }) => age ?? []) ?? []
  return ages.length === 0 ? null : Math.max(...ages)
}

/** Runs a second, or a minute where there are few. The last slice is not over, so it is left out. */
function Throughput({ stats }: { stats: StatsDocument }): ReactNode {
  const slices = stats.slices.slice(0, -1)
  const busiest = Math.max(0, ...slices.map(({ succeeded, failed, revoked }) => succeeded + failed + revoked))
  const isSlow = busiest / stats.step < 1
  const scale = (isSlow ? 60 : 1) / stats.step
  const points = (key: 'succeeded' | 'failed' | 'revoked'): Point[] =>
    slices.map((slice) => [Date.parse(slice.at), slice[key] * scale])
  const tell = (value: number): string =>
    t(isSlow ? 'overview.perMinute' : 'overview.perSecond', {
      count: countText(value >= 10 ? Math.round(value) : Math.round(value * 100) / 100, localeTag()),
    })
  return (
    <Chart
      label={t('overview.chartLabel')}
      format={tell}
      series={[
        { label: t('overview.succeeded'), points: points('succeeded'), tone: 'ok', fill: true },
        { label: t('overview.failed'), points: points('failed'), tone: 'bad', fill: true },
        ...(stats.finished.revoked > 0
          ? [{ label: t('overview.revoked'), points: points('revoked'), tone: 'calm' as const }]
          : []),
      ]}
    />
  )
}

/** What the stream tells, or what was asked first. */
function rowsOf(figures: LiveFigures | null, stats: StatsDocument | undefined): readonly QueueRow[] | null {
  if (figures) return figures.queues
  return (
    stats?.queues.map(({ name, depth, running, oldest_age, state }) => ({
      name,
      state: state as QueueRow['state'],
      waiting: { hot: depth },
      capped: stats.now.capped,
      running,
      oldest_age,
      slots: null,
    })) ?? null
  )
}
