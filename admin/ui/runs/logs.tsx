/**
 * What a handler said, and says: one stream from the first line on, until the run has ended. At the end of the page it stays
 * at the end; who scrolls up to read is left there.
 */
import { useEffect, useRef, useState, type ReactNode } from 'react'
import {
  absoluteText,
  Card,
  Check,
  client,
  explain,
  Input,
  localeTag,
  Select,
  t,
  Trouble,
  type LogDocument,
  type Refusal,
} from '../kit/kit.ts'

const LEVELS = ['debug', 'info', 'warn', 'error']

interface Tail {
  lines: readonly LogDocument[]
  isOver: boolean
  error: Refusal | null
}

function useTail(id: string): Tail {
  const [tail, setTail] = useState<Tail>({ lines: [], isOver: false, error: null })
  useEffect(() => {
    const stopping = new AbortController()
    let held: LogDocument[] = []
    let drawing: ReturnType<typeof setTimeout> | null = null
    const draw = (more: Partial<Tail> = {}): void => {
      drawing = null
      const lines = held
      held = []
      setTail((before) => ({ ...before, ...more, lines: [...before.lines, ...lines] }))
    }
    const read = async (): Promise<void> => {
      for await (const line of client.followLogs(id, { signal: stopping.signal })) {
        held.push(line)
        drawing ??= setTimeout(draw, 30)
      }
    }
    setTail({ lines: [], isOver: false, error: null })
    read().then(
      () => draw({ isOver: true }),
      (error: unknown) => stopping.signal.aborted || draw({ isOver: true, error: explain(error) }),
    )
    return () => {
      stopping.abort()
      clearTimeout(drawing ?? undefined)
    }
  }, [id])
  return tail
}

export function Logs({ id }: { id: string }): ReactNode {
  const { lines, isOver, error } = useTail(id)
  const [level, setLevel] = useState('')
  const [text, setText] = useState('')
  const [isFollowed, setFollowed] = useState(true)
  const box = useRef<HTMLDivElement>(null)
  const shown = lines.filter((line) => isWanted(line, level, text))
  useEffect(() => {
    if (isFollowed && box.current) box.current.scrollTop = box.current.scrollHeight
  }, [shown.length, isFollowed])
  return (
    <Card
      title={t('runs.logs')}
      actions={isOver ? null : <span className="rb-live-mark">{t('runs.logsLive')}</span>}
    >
      <div className="rb-log-tools">
        <Input
          type="search"
          aria-label={t('runs.logsFilter')}
          placeholder={t('runs.logsFilter')}
          value={text}
          onChange={setText}
        />
        <Select
          aria-label={t('runs.level')}
          value={level}
          onChange={setLevel}
          options={[{ value: '', label: t('runs.levelAll') }, ...LEVELS]}
        />
        <Check label={t('runs.logsFollow')} checked={isFollowed} onChange={setFollowed} />
      </div>
      {error ? <Trouble error={error} /> : null}
      {shown.length === 0 ? (
        <p className="rb-hint">{isOver ? t('runs.logsNone') : t('runs.logsNoneYet')}</p>
      ) : (
        <div
          className="rb-log"
          role="log"
          aria-label={t('runs.logs')}
          tabIndex={0}
          ref={box}
          onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
            const isAtEnd = scrollHeight - scrollTop - clientHeight < 24
            if (!isAtEnd && isFollowed) setFollowed(false)
          }}
        >
          {shown.map((line) => (
            <Line key={line.seq} line={line} />
          ))}
        </div>
      )}
    </Card>
  )
}

function isWanted(line: LogDocument, level: string, text: string): boolean {
  if (level && LEVELS.indexOf(line.level) < LEVELS.indexOf(level)) return false
  if (!text) return true
  return `${line.message} ${JSON.stringify(line.data ?? '')}`.toLowerCase().includes(text.toLowerCase())
}

function Line({ line }: { line: LogDocument }): ReactNode {
  const { at, level, message, data, attempt } = line
  return (
    <div className={`rb-log-line rb-log-${level}`}>
      <time dateTime={at} title={absoluteText(at, localeTag())}>
        {clockOf(at)}
      </time>
      <span className="rb-log-level">{level}</span>
      <span className="rb-log-text">
        {attempt > 1 ? `[${t('runs.tryNumber', { number: attempt })}] ` : ''}
        {message}
        {data === null || data === undefined ? null : (
          <code className="rb-log-data">{JSON.stringify(data)}</code>
        )}
      </span>
    </div>
  )
}

/** As `17:05:09.123` on the viewer's clock, like every other time of the page. */
function clockOf(at: string): string {
  return new Date(at).toLocaleTimeString('en-GB', {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 3,
  })
}
