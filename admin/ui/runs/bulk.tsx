/**
 * One verb for many runs: those that were chosen, or all that the list would find. It becomes an operation, which workers work off; its
 * number stands in the address, so that its progress can be come back to, and shown to somebody else.
 */
import { useState, type ReactNode } from 'react'
import { Button, client, Dialog, Field, Input, notify, t, useMe, type TextKey } from '../kit/kit.ts'
import { filterOf, type Asked } from './asked.ts'

type Kind = 'retry' | 'revoke' | 'delete'

export interface BulkProps {
  asked: Asked
  chosen: ReadonlySet<string>
  onClear: () => void
  onBegun: (id: string) => void
}

export function BulkBar({ asked, chosen, onClear, onBegun }: BulkProps): ReactNode {
  const { may } = useMe()
  const [isAll, setAll] = useState(false)
  const [kind, setKind] = useState<Kind | null>(null)
  if (!may('runs:write')) return null
  const isIdle = chosen.size === 0 && !isAll
  return (
    <div className="rb-many" role="group" aria-label={t('runs.bulk')}>
      <span className="rb-many-words" aria-live="polite">
        {isAll
          ? t('runs.allMatching')
          : isIdle
            ? t('runs.noneChosen')
            : t('runs.chosen', { count: chosen.size })}
      </span>
      {isAll || chosen.size > 0 ? (
        <Button
          kind="quiet"
          onClick={() => {
            setAll(false)
            onClear()
          }}
        >
          {t('runs.clear')}
        </Button>
      ) : null}
      {isAll ? null : (
        <Button kind="quiet" onClick={() => setAll(true)}>
          {t('runs.chooseAll')}
        </Button>
      )}
      <Button disabled={isIdle} onClick={() => setKind('retry')}>
        {t('runs.retry')}
      </Button>
      <Button disabled={isIdle} onClick={() => setKind('revoke')}>
        {t('runs.revoke')}
      </Button>
      <Button kind="danger" disabled={isIdle} onClick={() => setKind('delete')}>
        {t('runs.delete')}
      </Button>
      {kind ? (
        <BulkDialog
          kind={kind}
          what={isAll ? t('runs.allMatching') : t('runs.chosen', { count: chosen.size })}
          filter={isAll ? filterOf(asked) : { ids: [...chosen] }}
          onClose={() => setKind(null)}
          onBegun={(id) => {
            setKind(null)
            setAll(false)
            onClear()
            onBegun(id)
          }}
        />
      ) : null}
    </div>
  )
}

const WORDS: Readonly<Record<Kind, TextKey>> = {
  retry: 'runs.bulkRetry',
  revoke: 'runs.bulkRevoke',
  delete: 'runs.bulkDelete',
}

/** Also asked by the page of failures, for a group. */
export function BulkDialog({
  kind,
  what,
  filter,
  onClose,
  onBegun,
}: {
  kind: Kind
  what: string
  filter: Record<string, unknown>
  onClose: () => void
  onBegun: (id: string) => void
}): ReactNode {
  const [throttle, setThrottle] = useState('')
  const [reason, setReason] = useState('')
  const [busy, setBusy] = useState(false)
  const rate = throttle.trim() === '' ? null : Number(throttle)
  const isWrong = rate !== null && !(rate > 0)
  const begin = (): void => {
    setBusy(true)
    client
      .beginOperation({
        kind,
        filter,
        throttle: rate,
        ...(kind === 'revoke' && reason.trim() ? { reason: reason.trim() } : {}),
      })
      .then(({ id }) => onBegun(id))
      .catch((error: unknown) => notify('error', error))
      .finally(() => setBusy(false))
  }
  return (
    <Dialog title={`${t(`runs.${kind}`)}: ${what}`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (!isWrong) begin()
        }}
      >
        <p className="rb-dialog-text">{t(WORDS[kind])}</p>
        <Field
          label={t('runs.throttle')}
          hint={t('runs.throttleHint')}
          error={isWrong ? t('runs.throttleWrong') : null}
        >
          <Input inputMode="decimal" value={throttle} onChange={setThrottle} />
        </Field>
        {kind === 'revoke' ? (
          <Field label={t('kit.reason')} hint={t('kit.reasonHint')}>
            <Input value={reason} onChange={setReason} maxLength={500} />
          </Field>
        ) : null}
        <div className="rb-dialog-actions">
          <Button onClick={onClose}>{t('kit.cancel')}</Button>
          <Button type="submit" kind={kind === 'retry' ? 'primary' : 'danger'} busy={busy} disabled={isWrong}>
            {t(`runs.${kind}`)}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
