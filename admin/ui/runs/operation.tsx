/** How far an operation is, and the way to stop it. What was done by then stays done. */
import { useEffect, useRef, type ReactNode } from 'react'
import { Button, client, countText, localeTag, notify, State, t, tOr, useLoad, useMe } from '../kit/kit.ts'

const LOOK_MS = 600

export function OperationBar({
  id,
  onEnd,
  onClose,
}: {
  id: string
  onEnd: () => void
  onClose: () => void
}): ReactNode {
  const { may } = useMe()
  const { value, error, reload } = useLoad(() => client.getOperation(id), [id])
  const toldEnd = useRef('')
  useEffect(() => {
    if (!value) return
    if (value.state !== 'running') {
      // A small one is over before it was looked at.
      if (toldEnd.current !== id) onEnd()
      toldEnd.current = id
      return
    }
    const timer = setTimeout(reload, LOOK_MS)
    return () => clearTimeout(timer)
  }, [value])
  if (error) return null
  if (!value) return null
  const { kind, state, total, done, skipped, failed, percent } = value
  const figure = (count: number): string => countText(count, localeTag())
  const words = [
    total === null ? figure(done) : t('runs.opDone', { done: figure(done), total: figure(total) }),
    skipped > 0 ? t('runs.opSkipped', { count: figure(skipped) }) : '',
    failed > 0 ? t('runs.opFailed', { count: figure(failed) }) : '',
    value.error ?? '',
  ]
  const stop = (): void => {
    client.stopOperation(id).then(reload, (problem: unknown) => notify('error', problem))
  }
  return (
    <section className="rb-operation" aria-label={t('runs.operation')} data-state={state}>
      <div className="rb-operation-head">
        <strong>{tOr(`runs.${kind}`, kind)}</strong>
        <State state={state} />
        <span role="status">{words.filter(Boolean).join(' · ')}</span>
        {state === 'running' && may('runs:write') ? (
          <Button onClick={stop}>{t('runs.stop')}</Button>
        ) : (
          <Button kind="quiet" onClick={onClose}>
            {t('kit.close')}
          </Button>
        )}
      </div>
      <progress
        max={100}
        value={state === 'done' ? 100 : (percent ?? 0)}
        aria-label={t('runs.operation')}
        className="rb-operation-bar"
      />
    </section>
  )
}
