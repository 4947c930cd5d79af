/**
 * What failed, by what it has in common: a dozen rows where a list of runs has thousands. Each group leads to its runs, and can be
 * retried as a whole.
 */
import { useState, type ReactNode } from 'react'
import {
  absoluteText,
  Button,
  client,
  countText,
  Empty,
  Field,
  go,
  Link,
  Loading,
  localeTag,
  Page,
  Select,
  Sparkline,
  t,
  Table,
  Time,
  Trouble,
  useLoad,
  useMe,
  useQuery,
  type Column,
  type FailureDocument,
} from '../kit/kit.ts'
import { BulkDialog } from './bulk.tsx'
import { runPath } from './columns.tsx'

const PERIODS = [
  { value: '1h', label: 'failures.hour' },
  { value: '6h', label: 'failures.hours6' },
  { value: '24h', label: 'failures.day' },
  { value: '3d', label: 'failures.days3' },
  { value: '7d', label: 'failures.week' },
] as const
const GROUPS_MAX = 100

export function FailuresPage(): ReactNode {
  const [query, setQuery] = useQuery()
  const { may } = useMe()
  const [retried, setRetried] = useState<FailureDocument | null>(null)
  const period = PERIODS.find(({ value }) => value === query.period)?.value ?? '24h'
  const { value, error, loading, reload } = useLoad(
    () => client.listFailures({ period, task: query.task || null, limit: GROUPS_MAX }),
    [period, query.task],
  )
  const tasks = useLoad(async () => {
    const { items } = may('tasks:read') ? await client.listTasks() : { items: [] }
    return items.map(({ name }) => name)
  }, [])
  const names = [...new Set([...(tasks.value ?? []), ...(query.task ? [query.task] : [])])].toSorted()
  const total = value?.items.reduce((sum, { count }) => sum + count, 0) ?? 0
  const figure = (count: number): string => countText(count, localeTag())
  return (
    <Page title={t('failures.title')} lead={t('failures.lead')}>
      <div className="rb-run-filter rb-run-filter-row">
        <Field label={t('failures.period')}>
          <Select
            value={period}
            onChange={(next) => setQuery({ period: next })}
            options={PERIODS.map(({ value: one, label }) => ({ value: one, label: t(label) }))}
          />
        </Field>
        <Field label={t('failures.task')}>
          <Select
            value={query.task ?? ''}
            onChange={(task) => setQuery({ task })}
            options={[{ value: '', label: t('failures.allTasks') }, ...names]}
          />
        </Field>
      </div>
      {error ? <Trouble error={error} retry={reload} /> : null}
      {value ? (
        <>
          <p className="rb-hint" role="status">
            {t('failures.groups', {
              groups: figure(value.items.length),
              count: figure(total),
              time: absoluteText(value.at, localeTag()),
            })}
          </p>
          <Table
            label={t('failures.title')}
            columns={columnsOf(value.since, value.step, may('runs:write') ? setRetried : null)}
            rows={value.items}
            keyOf={({ fingerprint }) => fingerprint}
            busy={loading}
            empty={<Empty title={t('failures.none')}>{t('failures.noneText')}</Empty>}
          />
        </>
      ) : error ? null : (
        <Loading />
      )}
      {retried ? (
        <BulkDialog
          kind="retry"
          what={t('failures.thisGroup')}
          filter={{ q: retried.q }}
          onClose={() => setRetried(null)}
          onBegun={(op) => go(`/resources/runs?${new URLSearchParams({ q: retried.q, op })}`)}
        />
      ) : null}
    </Page>
  )
}

function columnsOf(
  since: string,
  step: number,
  onRetry: ((group: FailureDocument) => void) | null,
): Column<FailureDocument>[] {
  const fromMs = Date.parse(since)
  return [
    {
      key: 'error',
      title: t('failures.error'),
      isHead: true,
      render: (group) => (
        <Link to={pathOf(group)} className="rb-failure">
          <strong>{group.name || '–'}</strong>
          {group.code ? <code>{group.code}</code> : null}
          <span className="rb-failure-words">{group.message}</span>
        </Link>
      ),
    },
    { key: 'task', title: t('failures.task'), className: 'rb-nowrap', render: ({ task }) => task },
    {
      key: 'place',
      title: t('failures.place'),
      render: ({ frame }) =>
        frame ? <code className="rb-frame-of">{frame}</code> : t('failures.unknownPlace'),
    },
    {
      key: 'count',
      title: t('failures.count'),
      align: 'right',
      render: ({ count }) => countText(count, localeTag()),
    },
    {
      key: 'trend',
      title: t('failures.trend'),
      render: ({ slices, count }) => (
        <Sparkline
          points={slices.map((n, at) => [fromMs + at * step * 1000, n])}
          label={t('failures.trendLabel', { count })}
          tone="bad"
        />
      ),
    },
    { key: 'first', title: t('failures.first'), render: ({ first_at }) => <Time at={first_at} /> },
    {
      key: 'latest',
      title: t('failures.latest'),
      render: ({ last_at, run_id }) => (
        <Link to={runPath(run_id)}>
          <Time at={last_at} />
        </Link>
      ),
    },
    ...(onRetry
      ? [
          {
            key: 'retry',
            title: '',
            render: (group: FailureDocument) => (
              <Button
                aria-label={`${t('failures.retryGroup')}: ${group.name}`}
                onClick={() => onRetry(group)}
              >
                {t('failures.retryGroup')}
              </Button>
            ),
          },
        ]
      : []),
  ]
}

function pathOf({ q }: FailureDocument): string {
  return `/resources/runs?${new URLSearchParams({ q })}`
}
