/** The people who may sign in: role, since when, and what can be done about each. Nobody does it to himself by accident: he is marked. */
import type { ReactNode } from 'react'
import type { Role } from '../../../src/auth/scopes.ts'
import {
  Button,
  client,
  confirm,
  Empty,
  Link,
  Loading,
  notify,
  Page,
  State,
  t,
  Table,
  Time,
  Trouble,
  useMe,
  usePages,
  type Column,
  type UserDocument,
} from '../kit/kit.ts'

export function UserList(): ReactNode {
  const { email, may } = useMe()
  const users = usePages((cursor) => client.listUsers({ cursor }), [])
  const mayWrite = may('users:write')
  return (
    <Page
      title={t('users.title')}
      lead={t('users.lead')}
      actions={
        mayWrite ? (
          <Link to="/resources/users/actions/new" className="rb-button rb-button-primary">
            {t('users.make')}
          </Link>
        ) : null
      }
    >
      {users.error ? <Trouble error={users.error} retry={users.reload} /> : null}
      {users.items ? (
        <Table
          label={t('users.title')}
          rows={users.items}
          keyOf={({ id }) => id}
          columns={columnsOf(email, mayWrite ? users.reload : null)}
          onMore={users.more}
          busy={users.loading}
          empty={<Empty title={t('users.empty')} />}
        />
      ) : users.error ? null : (
        <Loading />
      )}
    </Page>
  )
}

export function roleText(role: string): string {
  return t(`users.${role as Role}`)
}

function columnsOf(me: string, reload: (() => void) | null): Column<UserDocument>[] {
  return [
    {
      key: 'email',
      title: t('users.email'),
      isHead: true,
      render: ({ id, email }) => (
        <>
          {reload ? <Link to={`/resources/users/records/${id}/edit`}>{email}</Link> : email}
          {email === me ? <span className="rb-soft"> ({t('users.you')})</span> : null}
        </>
      ),
    },
    { key: 'role', title: t('users.role'), render: ({ role }) => roleText(role) },
    {
      key: 'state',
      title: t('users.state'),
      render: ({ disabled_at }) => <State state={disabled_at ? 'disabled' : 'active'} />,
    },
    {
      key: 'seen',
      title: t('users.lastSeen'),
      render: ({ signed_in_at }) => (signed_in_at ? <Time at={signed_in_at} /> : t('users.never')),
    },
    { key: 'created', title: t('users.created'), render: ({ created_at }) => <Time at={created_at} /> },
    { key: 'by', title: t('users.createdBy'), render: ({ created_by }) => created_by ?? '–' },
    ...(reload
      ? [
          {
            key: 'actions',
            title: '',
            render: (user: UserDocument) => <Actions user={user} reload={reload} />,
          },
        ]
      : []),
  ]
}

function Actions({ user, reload }: { user: UserDocument; reload: () => void }): ReactNode {
  const { id, email, disabled_at } = user
  const act = async (work: () => Promise<unknown>, done: string): Promise<void> => {
    try {
      await work()
      notify('success', done)
    } catch (error) {
      notify('error', error)
    }
    reload()
  }
  const disable = async (): Promise<void> => {
    const yes = await confirm({
      title: t('users.disableTitle', { email }),
      text: t('users.disableText'),
      danger: true,
      action: t('users.disable'),
    })
    if (yes) await act(() => client.editUser(id, { disabled: true }), t('users.disabled', { email }))
  }
  const remove = async (): Promise<void> => {
    const yes = await confirm({
      title: t('users.removeTitle', { email }),
      text: t('users.removeText'),
      danger: true,
      word: email,
      action: t('users.remove'),
    })
    if (yes) await act(() => client.deleteUser(id), t('users.removed', { email }))
  }
  return (
    <div className="rb-row">
      {disabled_at ? (
        <Button
          aria-label={`${t('users.enable')} ${email}`}
          onClick={() =>
            void act(() => client.editUser(id, { disabled: false }), t('users.enabled', { email }))
          }
        >
          {t('users.enable')}
        </Button>
      ) : (
        <Button aria-label={`${t('users.disable')} ${email}`} onClick={() => void disable()}>
          {t('users.disable')}
        </Button>
      )}
      <Button kind="danger" aria-label={`${t('users.remove')} ${email}`} onClick={() => void remove()}>
        {t('users.remove')}
      </Button>
    </div>
  )
}
