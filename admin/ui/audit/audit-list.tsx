/**
 * Who changed what: the filter in the address, each row with what is other before and after. The rows are written by triggers in the transaction
 * of the change, so what is missing here did not happen.
 */
import { useState, type ReactNode } from 'react'
import {
  Button,
  client,
  Dialog,
  Empty,
  Field,
  Input,
  Link,
  Loading,
  Page,
  ROOT,
  Select,
  t,
  Table,
  Time,
  tOr,
  Trouble,
  usePages,
  useQuery,
  type AuditDocument,
  type Column,
  type QueryRecord,
  type SetQuery,
} from '../kit/kit.ts'
import { changesBetween, placeOf } from './diff.ts'

const HOURS: Record<string, number> = { hour: 1, day: 24, week: 168, month: 720 }
const WORDS = ['actor', 'via', 'action', 'target_kind', 'target', 'request_id'] as const
const SHOWN = 3

export function AuditList(): ReactNode {
  const [query, setQuery] = useQuery()
  const [shown, setShown] = useState<AuditDocument | null>(null)
  const asked = askedBy(query)
  const rows = usePages((cursor) => client.listAudit({ ...asked, cursor }), [JSON.stringify(query)])
  return (
    <Page
      title={t('audit.title')}
      lead={t('audit.lead')}
      actions={
        <Button onClick={() => download(rows.items ?? [])} disabled={!rows.items?.length}>
          {t('audit.export')}
        </Button>
      }
    >
      <Filter query={query} setQuery={setQuery} />
      {rows.error ? <Trouble error={rows.error} retry={rows.reload} /> : null}
      {rows.items ? (
        <Table
          label={t('audit.title')}
          rows={rows.items}
          keyOf={({ id }) => id}
          columns={columnsOf(setShown)}
          onMore={rows.more}
          busy={rows.loading}
          empty={<Empty title={t('audit.empty')}>{t('audit.emptyText')}</Empty>}
        />
      ) : rows.error ? null : (
        <Loading />
      )}
      {shown ? <Entry row={shown} onClose={() => setShown(null)} /> : null}
    </Page>
  )
}

function askedBy(query: QueryRecord): Record<string, string | undefined> {
  const hours = HOURS[query.since ?? '']
  return {
    ...Object.fromEntries(WORDS.map((word) => [word, query[word]])),
    from: hours ? new Date(Date.now() - hours * 3_600_000).toISOString() : undefined,
  }
}

function Filter({ query, setQuery }: { query: QueryRecord; setQuery: SetQuery }): ReactNode {
  const [typed, setTyped] = useState({
    actor: query.actor ?? '',
    action: query.action ?? '',
    target: query.target ?? '',
  })
  const input = (word: keyof typeof typed, label: string): ReactNode => (
    <Field label={label}>
      <Input
        value={typed[word]}
        onChange={(value) => setTyped({ ...typed, [word]: value })}
        maxLength={320}
      />
    </Field>
  )
  return (
    <form
      className="rb-filter"
      onSubmit={(event) => {
        event.preventDefault()
        setQuery(typed)
      }}
    >
      {input('actor', t('audit.actor'))}
      {input('action', t('audit.action'))}
      {input('target', t('audit.target'))}
      <Field label={t('audit.via')}>
        <Select
          value={query.via ?? ''}
          onChange={(via) => setQuery({ via })}
          options={[
            { value: '', label: t('audit.any') },
            ...(['panel', 'rest', 'cli', 'sql'] as const).map((via) => ({
              value: via,
              label: t(`audit.${via}`),
            })),
          ]}
        />
      </Field>
      <Field label={t('audit.since')}>
        <Select
          value={query.since ?? ''}
          onChange={(since) => setQuery({ since })}
          options={[
            { value: '', label: t('audit.ever') },
            ...(['hour', 'day', 'week', 'month'] as const).map((since) => ({
              value: since,
              label: t(`audit.${since}`),
            })),
          ]}
        />
      </Field>
      <div className="rb-row">
        <Button type="submit">{t('audit.filter')}</Button>
        <Button
          kind="quiet"
          onClick={() => {
            setTyped({ actor: '', action: '', target: '' })
            setQuery(Object.fromEntries([...WORDS, 'since'].map((word) => [word, null])))
          }}
        >
          {t('audit.clear')}
        </Button>
      </div>
    </form>
  )
}

function columnsOf(show: (row: AuditDocument) => void): Column<AuditDocument>[] {
  return [
    { key: 'at', title: t('audit.at'), render: ({ at }) => <Time at={at} /> },
    {
      key: 'actor',
      title: t('audit.actor'),
      isHead: true,
      render: ({ actor, via, address }) => (
        <>
          {actor}
          <span className="rb-from">{address ? `${viaText(via)}, ${address}` : viaText(via)}</span>
        </>
      ),
    },
    { key: 'action', title: t('audit.action'), render: ({ action }) => <code>{action}</code> },
    { key: 'target', title: t('audit.target'), render: (row) => <Target row={row} /> },
    {
      key: 'changes',
      title: t('audit.changes'),
      className: 'rb-wide',
      render: (row) => (
        <>
          <Changes row={row} most={SHOWN} />
          {row.reason === null ? null : (
            <span className="rb-from">
              {t('audit.reason')}: {row.reason}
            </span>
          )}
        </>
      ),
    },
    {
      key: 'more',
      title: '',
      render: (row) => (
        <Button
          kind="quiet"
          aria-label={`${t('audit.details')} ${row.action} ${row.target ?? ''}`}
          onClick={() => show(row)}
        >
          {t('audit.details')}
        </Button>
      ),
    },
  ]
}

export function viaText(via: string): string {
  return tOr(`audit.${via}`, via)
}

function Target({ row: { target_kind, target } }: { row: AuditDocument }): ReactNode {
  const place = placeOf(target_kind, target)
  const words = target === null ? '' : isUuid(target) ? target.slice(-12) : target
  return (
    <>
      <span className="rb-soft">{target_kind} </span>
      {place ? (
        <Link to={place} title={target ?? undefined}>
          {words}
        </Link>
      ) : (
        <span title={target ?? undefined}>{words}</span>
      )}
    </>
  )
}

/** `most`: so many fields, the id not among them, since it stands beside already. */
export function Changes({
  row: { before, after },
  most,
}: {
  row: Pick<AuditDocument, 'before' | 'after'>
  most?: number
}): ReactNode {
  const changes = changesBetween(before, after).filter(({ field }) => most === undefined || field !== 'id')
  if (changes.length === 0) return <span className="rb-soft">{t('audit.noChanges')}</span>
  const shown = changes.slice(0, most)
  return (
    <ul className="rb-diff">
      {shown.map((change) => (
        <li key={change.field}>
          <span className="rb-soft">{change.field}: </span>
          {change.before === undefined ? null : <del>{cut(change.before, most)}</del>}
          {change.before !== undefined && change.after !== undefined ? ' → ' : null}
          {change.after === undefined ? null : <ins>{cut(change.after, most)}</ins>}
        </li>
      ))}
      {changes.length > shown.length ? <li className="rb-soft">+ {changes.length - shown.length}</li> : null}
    </ul>
  )
}

function Entry({ row, onClose }: { row: AuditDocument; onClose: () => void }): ReactNode {
  const facts: [string, ReactNode][] = [
    [t('audit.at'), <Time key="at" at={row.at} plain />],
    [t('audit.actor'), `${row.actor} (${row.actor_kind})`],
    [t('audit.via'), viaText(row.via)],
    [t('audit.address'), row.address ?? '–'],
    [t('audit.request'), row.request_id ?? '–'],
    [t('audit.action'), <code key="action">{row.action}</code>],
    [t('audit.target'), <Target key="target" row={row} />],
    [t('audit.reason'), row.reason ?? '–'],
    [t('audit.dbUser'), row.db_user],
  ]
  return (
    <Dialog title={t('audit.entry')} onClose={onClose} wide>
      <dl className="rb-facts">
        {facts.map(([name, value]) => (
          <div key={name} className="rb-fact">
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <h3>{t('audit.changes')}</h3>
      <Changes row={row} />
      <div className="rb-dialog-actions">
        <Link to={`/resources/audit/records/${row.id}/show`} className="rb-button">
          {t('audit.link')}
        </Link>
        <Button onClick={onClose}>{t('kit.close')}</Button>
      </div>
    </Dialog>
  )
}

/** What is on the screen, as a file. */
function download(rows: readonly AuditDocument[]): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([JSON.stringify(rows, null, 2)], { type: 'application/json' }))
  link.download = `audit${ROOT.replaceAll('/', '-')}.json`
  link.click()
  URL.revokeObjectURL(link.href)
}

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/

function isUuid(text: string): boolean {
  return UUID.test(text)
}

function cut(text: string, most: number | undefined): string {
  return most !== undefined && text.length > 80 ? `${text.slice(0, 80)}…` : text
}
