/** All schedules by name: when each is due in plain words, how it went lately, and the switch. What is filtered stands in the address. */
import { useState, type ReactNode } from 'react'
import {
  Button,
  client,
  Empty,
  Link,
  Page,
  State,
  t,
  Table,
  Time,
  Trouble,
  useLive,
  useLoad,
  useMe,
  useQuery,
  type Column,
  type QueryRecord,
  type ScheduleDocument,
} from '../kit/kit.ts'
import { runNow, toggle } from './actions.tsx'
import { placeOf } from './form.tsx'
import { Bulk, Filters, PageActions } from './list-tools.tsx'
import { stateOf, Strip, type RecentFiring } from './strip.tsx'

interface Row extends ScheduleDocument {
  firings: readonly RecentFiring[]
}

const PAGE = 50
const STRIP = 20
/** A page that is looked at is read anew this often at most, since many may look at it. */
const PATIENCE_MS = 15_000

export function ScheduleList(): ReactNode {
  const [query, setQuery] = useQuery()
  const { may } = useMe()
  const [pages, setPages] = useState(1)
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const loaded = useLoad(() => loadRows(query, pages), [JSON.stringify(query), pages])
  const { value, error, loading, reload } = loaded
  const rows = value?.rows ?? []
  useFresh(rows, reload)
  const mayWrite = may('schedules:write')
  const act = (done: Promise<boolean>): void => void done.then((isDone) => isDone && reload())
  const selected = rows.filter(({ id }) => chosen.has(id))
  return (
    <Page
      title={t('schedules.title')}
      lead={t('schedules.lead')}
      actions={<PageActions mayWrite={mayWrite} query={query} reload={reload} />}
    >
      <Filters query={query} setQuery={setQuery} />
      {mayWrite && selected.length > 0 ? (
        <Bulk
          selected={selected}
          onDone={() => {
            setChosen(new Set())
            reload()
          }}
        />
      ) : null}
      {error ? <Trouble error={error} retry={reload} /> : null}
      <Table
        label={t('schedules.title')}
        rows={rows}
        keyOf={({ id }) => id}
        nameOf={({ name }) => name}
        busy={loading && rows.length === 0}
        select={mayWrite ? { chosen, onChange: setChosen } : undefined}
        columns={columnsFor(mayWrite, act)}
        empty={<Nothing isFiltered={Object.keys(query).length > 0} mayWrite={mayWrite} />}
        onMore={value?.more ? () => setPages(pages + 1) : null}
      />
    </Page>
  )
}

/** Reads the page anew when what it shows has changed: an instant has come, or a run of one of these has. Nothing is asked while nothing happens. */
function useFresh(rows: readonly Row[], reload: () => void): void {
  const [last] = useState({ ms: 0 })
  useLive(({ event, data }) => {
    const now = Date.now()
    if (now - last.ms < PATIENCE_MS) return
    const names = new Set(event === 'runs' ? rows.map(({ name }) => name) : [])
    const items = event === 'runs' ? (data as { items: { schedule: string | null }[] }).items : []
    const isMoved = items.some(({ schedule }) => schedule !== null && names.has(schedule))
    if (!isMoved && !rows.some((row) => isPassed(row, now))) return
    last.ms = now
    reload()
  })
}

function isPassed({ enabled, next_run_at }: Row, nowMs: number): boolean {
  return enabled && next_run_at !== null && Date.parse(next_run_at) < nowMs - 1000
}

async function loadRows(query: QueryRecord, pages: number): Promise<{ rows: Row[]; more: boolean }> {
  const { search, enabled, kind, origin, error, tag, task, queue } = query
  const filter = { search, enabled, kind, origin, error, tag, task, queue }
  const { items, next } = await client.listSchedules({
    ...filter,
    order: 'name',
    limit: Math.min(500, PAGE * pages),
  })
  const ids = items.map(({ id }) => id)
  const lists = await Promise.all(
    chunks(ids, 100).map((some) => client.listRecentFirings({ ids: some.join(','), count: STRIP })),
  )
  const recent = new Map(
    lists.flatMap((list) => list.items.map((one) => [one.schedule_id, one.firings] as const)),
  )
  const rows = items.map((item) => ({ ...item, firings: recent.get(item.id) ?? [] }))
  return { rows, more: next !== null && items.length < 500 }
}

function columnsFor(mayWrite: boolean, act: (done: Promise<boolean>) => void): Column<Row>[] {
  const columns: Column<Row>[] = [
    {
      key: 'name',
      title: t('schedules.name'),
      isHead: true,
      render: (row) => (
        <>
          <Link to={placeOf(row.id)}>{row.name}</Link>
          <div className="rb-hint">
            {row.task}
            {row.origin === 'code'
              ? ` · ${t(row.edited_at ? 'schedules.codeEdited' : 'schedules.code')}`
              : ''}
          </div>
        </>
      ),
    },
    {
      key: 'when',
      title: t('schedules.when'),
      render: (row) => (
        <>
          {row.text ?? t('schedules.unreadable')}
          {row.schedule.kind === 'crontab' ? <div className="rb-hint">{row.schedule.timezone}</div> : null}
        </>
      ),
    },
    { key: 'state', title: t('schedules.state'), render: (row) => <Standing schedule={row} /> },
    {
      key: 'next',
      title: t('schedules.next'),
      render: (row) => <Time at={row.enabled ? row.next_run_at : null} />,
    },
    { key: 'last', title: t('schedules.last'), render: (row) => <Last row={row} /> },
    { key: 'lately', title: t('schedules.latelyTitle'), render: (row) => <Strip firings={row.firings} /> },
  ]
  if (!mayWrite) return columns
  const actions: Column<Row> = {
    key: 'actions',
    title: t('schedules.actions'),
    render: (row) => (
      <div className="rb-verbs">
        <Button
          kind="quiet"
          aria-label={t(row.enabled ? 'schedules.pauseThis' : 'schedules.resumeThis', { name: row.name })}
          onClick={() => act(toggle(row))}
        >
          {t(row.enabled ? 'schedules.pause' : 'schedules.resume')}
        </Button>
        <Button
          kind="quiet"
          aria-label={t('schedules.runThis', { name: row.name })}
          onClick={() => act(runNow(row))}
        >
          {t('schedules.runNow')}
        </Button>
      </div>
    ),
  }
  return [...columns, actions]
}

/** Whether it fires, and if not, why. */
export function Standing({ schedule }: { schedule: ScheduleDocument }): ReactNode {
  const { enabled, error, pause_reason, resume_at } = schedule
  if (error !== null)
    return (
      <>
        <State state="error" />
        <div className="rb-hint">{error}</div>
      </>
    )
  if (enabled) return <State state="enabled" />
  return (
    <>
      <State state={pause_reason === null && resume_at === null ? 'disabled' : 'paused'} />
      {pause_reason === null ? null : <div className="rb-hint">{pause_reason}</div>}
      {resume_at === null ? null : (
        <div className="rb-hint">
          {t('schedules.until')} <Time at={resume_at} />
        </div>
      )}
    </>
  )
}

function Last({ row }: { row: Row }): ReactNode {
  const [last] = row.firings
  if (!last) return <Time at={row.last_run_at} />
  const chip = <State state={stateOf(last)} />
  return (
    <div className="rb-row">
      {last.run_id ? <Link to={`/resources/runs/records/${last.run_id}/show`}>{chip}</Link> : chip}
      <Time at={last.due_at} />
    </div>
  )
}

function Nothing({ isFiltered, mayWrite }: { isFiltered: boolean; mayWrite: boolean }): ReactNode {
  return (
    <Empty title={t(isFiltered ? 'schedules.noneFit' : 'schedules.none')}>
      {isFiltered ? null : t('schedules.noneText')}
      {mayWrite && !isFiltered ? (
        <p>
          <Link to="/resources/schedules/actions/new">{t('schedules.new')}</Link>
        </p>
      ) : null}
    </Empty>
  )
}

function chunks<Item>(items: readonly Item[], size: number): Item[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  )
}
