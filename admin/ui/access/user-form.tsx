/** An account: made, with a password that is shown once where none was given; or changed in role or password. */
import { useEffect, useState, type ReactNode } from 'react'
import { ROLES, type Role } from '../../../src/auth/scopes.ts'
import {
  Button,
  Card,
  client,
  confirm,
  explain,
  Field,
  go,
  Input,
  Loading,
  notify,
  Page,
  Select,
  t,
  Trouble,
  useLoad,
  type Refusal,
  type UserDocument,
} from '../kit/kit.ts'
import { Once } from './key-form.tsx'
import { roleText } from './user-list.tsx'

export function UserForm({ recordId }: { recordId: string }): ReactNode {
  return recordId ? <Edit id={recordId} /> : <New />
}

function New(): ReactNode {
  const [email, setEmail] = useState('')
  const [role, setRole] = useState<string>('viewer')
  const [password, setPassword] = useState('')
  const [refusal, setRefusal] = useState<Refusal | null>(null)
  const [busy, setBusy] = useState(false)
  const [made, setMade] = useState<{ email: string; password: string } | null>(null)
  const save = async (): Promise<void> => {
    setBusy(true)
    try {
      const user = await client.createUser({ email, role, ...(password ? { password } : {}) })
      if (user.password) setMade({ email: user.email, password: user.password })
      else {
        notify('success', t('users.made'))
        go('/resources/users')
      }
    } catch (error) {
      const why = explain(error)
      setRefusal(why)
      if (Object.keys(why.faults).length === 0) notify('error', error)
    }
    setBusy(false)
  }
  if (made)
    return (
      <Once
        title={t('users.made')}
        words={t('users.once')}
        label={t('users.thePassword', { email: made.email })}
        secret={made.password}
        back="/resources/users"
      />
    )
  const faults = refusal?.faults ?? {}
  return (
    <Page title={t('users.newTitle')}>
      <Card>
        <form
          className="rb-fields"
          onSubmit={(event) => {
            event.preventDefault()
            void save()
          }}
        >
          <Field label={t('users.email')} error={faults['/email']} required>
            <Input
              type="email"
              autoComplete="username"
              value={email}
              onChange={setEmail}
              required
              maxLength={320}
            />
          </Field>
          <RoleField role={role} onChange={setRole} error={faults['/role']} />
          <Field label={t('users.password')} hint={t('users.passwordHint')} error={faults['/password']}>
            <Input type="password" autoComplete="new-password" value={password} onChange={setPassword} />
          </Field>
          <div className="rb-row">
            <Button type="submit" kind="primary" busy={busy}>
              {t('users.make')}
            </Button>
            <Button onClick={() => go('/resources/users')}>{t('kit.cancel')}</Button>
          </div>
        </form>
      </Card>
    </Page>
  )
}

function Edit({ id }: { id: string }): ReactNode {
  const { value: user, error, reload } = useLoad(() => client.getUser(id), [id])
  if (error)
    return (
      <Page title={t('users.title')}>
        <Trouble error={error} retry={reload} />
      </Page>
    )
  if (!user)
    return (
      <Page title={t('users.title')}>
        <Loading />
      </Page>
    )
  return (
    <Page title={user.email}>
      <div className="rb-columns">
        <RoleCard user={user} reload={reload} />
        <PasswordCard user={user} />
      </div>
    </Page>
  )
}

function RoleCard({ user, reload }: { user: UserDocument; reload: () => void }): ReactNode {
  const { id, email } = user
  const [role, setRole] = useState<string>(user.role)
  useEffect(() => setRole(user.role), [user.role])
  const save = async (): Promise<void> => {
    const yes = await confirm({
      title: t('users.roleTitle', { email, role: roleText(role) }),
      text: t('users.roleText'),
    })
    if (!yes) return
    try {
      await client.editUser(id, { role })
      notify('success', t('users.roleChanged', { email, role: roleText(role) }))
    } catch (error) {
      notify('error', error)
    }
    reload()
  }
  return (
    <Card title={t('users.role')}>
      <form
        className="rb-fields"
        onSubmit={(event) => {
          event.preventDefault()
          void save()
        }}
      >
        <RoleField role={role} onChange={setRole} />
        <div className="rb-row">
          <Button type="submit" kind="primary" disabled={role === user.role}>
            {t('users.save')}
          </Button>
        </div>
      </form>
    </Card>
  )
}

function PasswordCard({ user: { id, email } }: { user: UserDocument }): ReactNode {
  const [password, setPassword] = useState('')
  const [refusal, setRefusal] = useState<Refusal | null>(null)
  const save = async (): Promise<void> => {
    try {
      await client.editUser(id, { password })
      setPassword('')
      setRefusal(null)
      notify('success', t('users.passwordSet', { email }))
    } catch (error) {
      setRefusal(explain(error))
    }
  }
  return (
    <Card title={t('users.password')}>
      <form
        className="rb-fields"
        onSubmit={(event) => {
          event.preventDefault()
          void save()
        }}
      >
        <Field
          label={t('users.newPassword')}
          error={refusal && (refusal.faults['/password'] ?? refusal.text)}
        >
          <Input type="password" autoComplete="new-password" value={password} onChange={setPassword} />
        </Field>
        <div className="rb-row">
          <Button type="submit" disabled={password === ''}>
            {t('users.setPassword')}
          </Button>
        </div>
      </form>
    </Card>
  )
}

function RoleField({
  role,
  onChange,
  error,
}: {
  role: string
  onChange: (role: string) => void
  error?: string
}): ReactNode {
  return (
    <Field label={t('users.role')} hint={t(`users.${role as Role}Hint`)} error={error}>
      <Select
        value={role}
        onChange={onChange}
        options={ROLES.map((one) => ({ value: one, label: roleText(one) }))}
      />
    </Field>
  )
}
