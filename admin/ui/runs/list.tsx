/**
 * All runs, newest first: searched, filtered by state, live, and the place to do something to many of them at once. All that was
 * chosen stands in the address.
 */
import { useState, type ReactNode } from 'react'
import { Button, Empty, hrefOf, Loading, Page, t, Table, Trouble, useQuery, explain } from '../kit/kit.ts'
import { queryOf, type Asked } from './asked.ts'
import { BulkBar } from './bulk.tsx'
import { ColumnChoice, columnsOf } from './columns.tsx'
import { FilterBar } from './filter-bar.tsx'
import { OperationBar } from './operation.tsx'
import { useRows } from './rows.ts'

export function RunList(): ReactNode {
  const [query, setQuery] = useQuery()
  const [turn, setTurn] = useState(0)
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const asked: Asked = { q: query.q ?? '', states: query.state ? query.state.split(',') : [] }
  const rows = useRows(asked, () => setTurn((before) => before + 1))
  const { fresh, first } = rows

  const ask = (next: Partial<Asked>): void => {
    setChosen(new Set())
    setQuery({ q: next.q ?? asked.q, state: (next.states ?? asked.states).join(',') })
  }
  return (
    <Page title={t('runs.title')} lead={t('runs.lead')} actions={<ExportLinks asked={asked} />}>
      <FilterBar asked={asked} onAsk={ask} turn={turn} />
      {query.op ? (
        <OperationBar id={query.op} onEnd={rows.reload} onClose={() => setQuery({ op: null })} />
      ) : null}
      <div className="rb-list-tools">
        <BulkBar
          asked={asked}
          chosen={chosen}
          onClear={() => setChosen(new Set())}
          onBegun={(op) => setQuery({ op })}
        />
        <div className="rb-fresh" aria-live="polite">
          {fresh.count > 0 || fresh.unsure ? (
            <Button kind="primary" className="rb-pill" onClick={rows.reload}>
              {fresh.count > 0 ? t('runs.fresh', { count: fresh.count }) : t('runs.maybeFresh')}
            </Button>
          ) : null}
        </div>
        <ColumnChoice chosen={query.cols} onChange={(cols) => setQuery({ cols }, { replace: true })} />
      </div>
      {first.error ? <Trouble error={first.error} retry={first.reload} /> : null}
      {rows.error ? <Trouble error={explain(rows.error)} /> : null}
      {first.value === undefined ? (
        first.error ? null : (
          <Loading />
        )
      ) : (
        <Table
          label={t('runs.title')}
          columns={columnsOf(query.cols)}
          rows={rows.items}
          keyOf={({ id }) => id}
          nameOf={({ task, id }) => `${task} ${id.slice(-8)}`}
          select={{ chosen, onChange: setChosen }}
          busy={rows.busy}
          onMore={rows.onMore}
          rowClass={({ id }) => (rows.moved.has(id) ? 'rb-moved' : '')}
          empty={<Nothing asked={asked} onMore={rows.onMore} onAll={() => ask({ q: '', states: [] })} />}
        />
      )}
    </Page>
  )
}

function Nothing({
  asked,
  onMore,
  onAll,
}: {
  asked: Asked
  onMore: (() => void) | null
  onAll: () => void
}): ReactNode {
  const isFiltered = asked.q !== '' || asked.states.length > 0
  if (!isFiltered) return <Empty title={t('runs.none')}>{t('runs.noneText')}</Empty>
  return (
    <Empty
      title={t('runs.noMatch')}
      actions={
        <div className="rb-actions">
          {onMore ? <Button onClick={onMore}>{t('runs.lookOn')}</Button> : null}
          <Button onClick={onAll}>{t('runs.showAll')}</Button>
        </div>
      }
    >
      {onMore ? t('runs.lookedNewest') : null}
    </Empty>
  )
}

function ExportLinks({ asked }: { asked: Asked }): ReactNode {
  const to = (format: string): string =>
    `${hrefOf('/v1/runs:export')}?${new URLSearchParams({ ...queryOf(asked), format })}`
  return (
    <span className="rb-exports">
      {t('runs.export')}
      {['csv', 'json', 'ndjson'].map((format) => (
        <a key={format} className="rb-link" href={to(format)} download>
          {format.toUpperCase()}
        </a>
      ))}
    </span>
  )
}
