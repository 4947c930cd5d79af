/**
 * What happened, in a corner: `notify('success', t('…'))`, or `notify('error', error)` with what was thrown. Read out by screen
 * readers; errors stay until they are closed.
 */
import { useEffect, type ReactNode } from 'react'
import { createBox, useBox } from './box.ts'
import { explain } from './client.ts'
import { t } from './text.ts'

export type NoticeKind = 'success' | 'info' | 'error'

interface Notice {
  id: number
  kind: NoticeKind
  text: string
  requestId: string | null
}

const STAYS_MS = 6000
const SHOWN = 4
const notices = createBox<readonly Notice[]>([])
const count = createBox(0)

export function notify(kind: NoticeKind, what: unknown): void {
  const { text, requestId } = explain(what)
  count.set(count.get() + 1)
  notices.set([...notices.get(), { id: count.get(), kind, text, requestId }].slice(-SHOWN))
}

/** Drawn once, by the frame. */
export function NoticeHost(): ReactNode {
  const all = useBox(notices)
  return (
    <div className="rb-notices" aria-live="polite">
      {all.map((notice) => (
        <NoticeBox key={notice.id} notice={notice} />
      ))}
    </div>
  )
}

function NoticeBox({ notice }: { notice: Notice }): ReactNode {
  const { id, kind, text, requestId } = notice
  const close = (): void => notices.set(notices.get().filter((one) => one.id !== id))
  useEffect(() => {
    if (kind === 'error') return
    const timer = setTimeout(close, STAYS_MS)
    return () => clearTimeout(timer)
  }, [id])
  return (
    <div className={`rb-notice rb-notice-${kind}`} role={kind === 'error' ? 'alert' : 'status'}>
      <p>
        {text}
        {requestId ? <span className="rb-hint"> {t('kit.request', { id: requestId })}</span> : null}
      </p>
      <button type="button" className="rb-close" aria-label={t('kit.close')} onClick={close}>
        ×
      </button>
    </div>
  )
}
