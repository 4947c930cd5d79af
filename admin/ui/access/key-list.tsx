/** The API keys: what each may do, when it was used last, and the way to revoke it. One that was revoked stays in the list. */
import type { ReactNode } from 'react'
import {
  Button,
  client,
  confirm,
  Empty,
  Link,
  Loading,
  notify,
  Page,
  Select,
  State,
  t,
  Table,
  Time,
  Trouble,
  useMe,
  useNow,
  usePages,
  useQuery,
  type Column,
  type KeyDocument,
} from '../kit/kit.ts'

export function KeyList(): ReactNode {
  const { may } = useMe()
  const [query, setQuery] = useQuery()
  const live = query.live ?? ''
  const keys = usePages((cursor) => client.listKeys({ cursor, live: live || undefined }), [live])
  const now = useNow()
  const mayWrite = may('keys:write')
  return (
    <Page
      title={t('keys.title')}
      lead={t('keys.lead')}
      actions={
        mayWrite ? (
          <Link to="/resources/keys/actions/new" className="rb-button rb-button-primary">
            {t('keys.make')}
          </Link>
        ) : null
      }
    >
      <div className="rb-row">
        <Select
          aria-label={t('keys.show')}
          className="rb-narrow"
          value={live}
          onChange={(value) => setQuery({ live: value })}
          options={[
            { value: '', label: t('keys.both') },
            { value: 'true', label: t('keys.live') },
            { value: 'false', label: t('keys.ended') },
          ]}
        />
      </div>
      {keys.error ? <Trouble error={keys.error} retry={keys.reload} /> : null}
      {keys.items ? (
        <Table
          label={t('keys.title')}
          rows={keys.items}
          keyOf={({ id }) => id}
          columns={columnsOf(now, mayWrite ? (key) => void revoke(key, keys.reload) : null)}
          onMore={keys.more}
          busy={keys.loading}
          empty={<Empty title={t('keys.empty')}>{t('keys.emptyText')}</Empty>}
        />
      ) : keys.error ? null : (
        <Loading />
      )}
    </Page>
  )
}

function columnsOf(now: number, end: ((key: KeyDocument) => void) | null): Column<KeyDocument>[] {
  return [
    {
      key: 'name',
      title: t('keys.name'),
      isHead: true,
      render: ({ id, name }) => <Link to={`/resources/keys/records/${id}/show`}>{name}</Link>,
    },
    { key: 'state', title: t('keys.state'), render: (key) => <State state={stateOf(key, now)} /> },
    { key: 'prefix', title: t('keys.prefix'), render: ({ prefix }) => <code>{prefix}…</code> },
    { key: 'scopes', title: t('keys.scopes'), render: ({ scopes }) => scopes.join(', ') },
    { key: 'created', title: t('keys.created'), render: ({ created_at }) => <Time at={created_at} /> },
    { key: 'by', title: t('keys.createdBy'), render: ({ created_by }) => created_by ?? '–' },
    {
      key: 'expires',
      title: t('keys.expires'),
      render: ({ expires_at }) => (expires_at ? <Time at={expires_at} /> : t('keys.never')),
    },
    {
      key: 'used',
      title: t('keys.lastUsed'),
      render: ({ last_used_at }) => (last_used_at ? <Time at={last_used_at} /> : t('keys.unused')),
    },
    ...(end
      ? [
          {
            key: 'actions',
            title: '',
            render: (key: KeyDocument) =>
              stateOf(key, now) === 'active' ? (
                <Button kind="danger" aria-label={`${t('keys.revoke')} ${key.name}`} onClick={() => end(key)}>
                  {t('keys.revoke')}
                </Button>
              ) : null,
          },
        ]
      : []),
  ]
}

function stateOf({ revoked_at, expires_at }: KeyDocument, now: number): 'active' | 'expired' | 'revoked' {
  if (revoked_at) return 'revoked'
  return expires_at && Date.parse(expires_at) <= now ? 'expired' : 'active'
}

async function revoke({ id, name }: KeyDocument, done: () => void): Promise<void> {
  const yes = await confirm({
    title: t('keys.revokeTitle', { name }),
    text: t('keys.revokeText'),
    danger: true,
    action: t('keys.revoke'),
  })
  if (!yes) return
  try {
    await client.revokeKey(id)
    notify('success', t('keys.revoked', { name }))
  } catch (error) {
    notify('error', error)
  }
  done()
}
