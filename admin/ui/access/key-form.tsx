/** A new API key. What is made is shown once, and the page that shows it asks nobody for it again. */
import { useState, type ReactNode } from 'react'
import { SCOPES } from '../../../src/auth/scopes.ts'
import {
  Button,
  Card,
  Check,
  client,
  Copy,
  explain,
  Field,
  go,
  Input,
  notify,
  Page,
  Select,
  t,
  useMe,
  type Refusal,
} from '../kit/kit.ts'

const DAYS = [30, 90, 365]

export function KeyForm(): ReactNode {
  const { may } = useMe()
  const [name, setName] = useState('')
  const [days, setDays] = useState('90')
  const [scopes, setScopes] = useState<readonly string[]>(['runs:read'])
  const [refusal, setRefusal] = useState<Refusal | null>(null)
  const [busy, setBusy] = useState(false)
  const [made, setMade] = useState<{ name: string; key: string } | null>(null)
  const isAll = scopes.includes('*')
  const faults = refusal?.faults ?? {}

  const save = async (): Promise<void> => {
    setBusy(true)
    try {
      const expiresIn = days === '' ? undefined : Number(days) * 86_400
      setMade(await client.createKey({ name, scopes, expires_in: expiresIn }))
    } catch (error) {
      setRefusal(explain(error))
      if (Object.keys(explain(error).faults).length === 0) notify('error', error)
    }
    setBusy(false)
  }
  if (made)
    return (
      <Once
        title={t('keys.created_')}
        words={t('keys.once')}
        label={t('keys.theKey', { name: made.name })}
        secret={made.key}
        back="/resources/keys"
      />
    )
  return (
    <Page title={t('keys.newTitle')}>
      <Card>
        <form
          className="rb-fields"
          onSubmit={(event) => {
            event.preventDefault()
            void save()
          }}
        >
          <Field label={t('keys.name')} hint={t('keys.nameHint')} error={faults['/name']} required>
            <Input value={name} onChange={setName} required maxLength={200} />
          </Field>
          <Field label={t('keys.expiry')} error={faults['/expires_in'] ?? faults['/expires_at']}>
            <Select
              value={days}
              onChange={setDays}
              options={[
                ...DAYS.map((count) => ({ value: String(count), label: t('keys.expiryDays', { count }) })),
                { value: '', label: t('keys.expiryNever') },
              ]}
            />
          </Field>
          <fieldset className="rb-group">
            <legend>{t('keys.scopes')}</legend>
            <p className="rb-hint">{t('keys.scopesHint')}</p>
            {faults['/scopes'] ? <p className="rb-fault">{faults['/scopes']}</p> : null}
            <div className="rb-scopes">
              <Check
                label={t('keys.all')}
                checked={isAll}
                onChange={(on) => setScopes(on ? ['*'] : ['runs:read'])}
              />
              {SCOPES.map((scope) => (
                <Check
                  key={scope}
                  label={scope}
                  checked={isAll || scopes.includes(scope)}
                  disabled={isAll || !may(scope)}
                  onChange={(on) =>
                    setScopes(on ? [...scopes, scope] : scopes.filter((one) => one !== scope))
                  }
                />
              ))}
            </div>
          </fieldset>
          <div className="rb-row">
            <Button type="submit" kind="primary" busy={busy} disabled={scopes.length === 0}>
              {t('keys.make')}
            </Button>
            <Button onClick={() => go('/resources/keys')}>{t('kit.cancel')}</Button>
          </div>
        </form>
      </Card>
    </Page>
  )
}

/** Something that is told this once. */
export function Once(props: {
  title: string
  words: string
  label: string
  secret: string
  back: string
}): ReactNode {
  const { title, words, label, secret, back } = props
  return (
    <Page title={title}>
      <div className="rb-once" role="status">
        <p>{words}</p>
        <Field label={label}>
          <Input
            value={secret}
            onChange={() => {}}
            readOnly
            className="rb-mono"
            onFocus={(event) => event.target.select()}
          />
        </Field>
        <div className="rb-row">
          <Copy text={secret} label={label} />
          <Button onClick={() => go(back)}>{t('keys.back')}</Button>
        </div>
      </div>
    </Page>
  )
}
