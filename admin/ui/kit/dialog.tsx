/**
 * Questions before something is done. `confirm` answers with a promise, so a handler reads as one thing after another:
 *
 *   const yes = await confirm({ title, text, danger: true, reason: true })
 *   if (yes) await client.revokeRun(id, { reason: yes.reason })
 *
 * The browser's own <dialog> keeps the focus inside, closes by Escape, and gives the focus back.
 */
import { useId, useLayoutEffect, useRef, useState, type ReactNode } from 'react'
import { createBox, useBox } from './box.ts'
import { Button, Field, Input } from './control.tsx'
import { t } from './text.ts'

export interface Question {
  title: string
  text?: ReactNode
  danger?: boolean
  /** Asks for words for the audit log. */
  reason?: boolean
  /** Has to be typed before it can be confirmed. */
  word?: string
  /** The word on the button. */
  action?: string
}

export interface Answer {
  /** Absent when nothing was typed. */
  reason?: string
}

interface Asked extends Question {
  id: number
  settle(answer: Answer | null): void
}

const asked = createBox<Asked | null>(null)
const count = createBox(0)

/** Null: no. A second question withdraws the first. */
export function confirm(question: Question): Promise<Answer | null> {
  asked.get()?.settle(null)
  count.set(count.get() + 1)
  return new Promise((resolve) => {
    asked.set({
      ...question,
      id: count.get(),
      settle(answer) {
        asked.set(null)
        resolve(answer)
      },
    })
  })
}

/** Drawn once, by the frame. */
export function ConfirmHost(): ReactNode {
  const question = useBox(asked)
  return question ? <ConfirmBox key={question.id} question={question} /> : null
}

function ConfirmBox({ question }: { question: Asked }): ReactNode {
  const { title, text, danger, reason, word, action, settle } = question
  const [given, setGiven] = useState('')
  const [typed, setTyped] = useState('')
  const mayDo = word === undefined || typed === word
  return (
    <Dialog title={title} onClose={() => settle(null)}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          if (mayDo) settle({ reason: given.trim() || undefined })
        }}
      >
        {text ? <div className="rb-dialog-text">{text}</div> : null}
        {word === undefined ? null : (
          <Field label={t('kit.typeToConfirm', { word })}>
            <Input value={typed} onChange={setTyped} />
          </Field>
        )}
        {reason ? (
          <Field label={t('kit.reason')} hint={t('kit.reasonHint')}>
            <Input value={given} onChange={setGiven} maxLength={500} />
          </Field>
        ) : null}
        <div className="rb-dialog-actions">
          <Button onClick={() => settle(null)}>{t('kit.cancel')}</Button>
          <Button type="submit" kind={danger ? 'danger' : 'primary'} disabled={!mayDo}>
            {action ?? t('kit.confirm')}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

/** A dialog over the page, open while it is drawn. */
export function Dialog({
  title,
  onClose,
  wide = false,
  children,
}: {
  title: string
  onClose: () => void
  wide?: boolean
  children: ReactNode
}): ReactNode {
  const box = useRef<HTMLDialogElement>(null)
  const id = useId()
  // Closed while it is still in the document: one that was taken out before gives no focus back.
  useLayoutEffect(() => {
    const dialog = box.current!
    if (!dialog.open) dialog.showModal()
    return () => dialog.close()
  }, [])
  return (
    <dialog
      ref={box}
      className={`rb-dialog ${wide ? 'rb-dialog-wide' : ''}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onMouseDown={(event) => {
        if (event.target === box.current) onClose()
      }}
    >
      <div className="rb-dialog-box">
        <h2 id={id}>{title}</h2>
        {children}
      </div>
    </dialog>
  )
}
