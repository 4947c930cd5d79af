/**
 * Lines over time, in SVG, as wide as there is room. What it shows is also a table behind a fold: for who cannot see it, and for who
 * wants the figure itself. Pointing at a moment, or going along with the arrow keys, tells its values.
 */
import { useEffect, useRef, useState, type KeyboardEvent, type ReactNode } from 'react'
import { countText } from './figures.ts'
import { areaOf, pathOf, placeX, placeY, scaleTo, type Frame, type Point } from './scale.ts'
import { localeTag, t } from './text.ts'

export interface Series {
  label: string
  points: readonly Point[]
  /** The class of its colour. */
  tone?: 'ok' | 'bad' | 'accent' | 'warn' | 'calm'
  fill?: boolean
}

export interface ChartProps {
  series: readonly Series[]
  label: string
  /** Of the axis and the figures told. */
  format?: (value: number) => string
  height?: number
}

const LEFT = 52
const RIGHT = 8
const TOP = 8
const BOTTOM = 22
const LABEL_PX = 90

export function Chart({ series, label, format, height = 180 }: ChartProps): ReactNode {
  const tell = format ?? ((value: number) => countText(value, localeTag()))
  const box = useRef<HTMLDivElement>(null)
  const width = useWidth(box)
  const [at, setAt] = useState<number | null>(null)
  const moments = [...new Set(series.flatMap(({ points }) => points.map(([ms]) => ms)))].toSorted(
    (a, b) => a - b,
  )
  const { max, ticks } = scaleTo(
    Math.max(0, ...series.flatMap(({ points }) => points.map(([, v]) => v ?? 0))),
  )
  const frame: Frame = {
    fromMs: moments[0] ?? 0,
    untilMs: moments.at(-1) ?? 1,
    max,
    width: Math.max(40, width - LEFT - RIGHT),
    height: height - TOP - BOTTOM,
  }
  const point = (clientX: number): void => {
    const left = box.current!.getBoundingClientRect().left + LEFT
    const share = Math.min(1, Math.max(0, (clientX - left) / frame.width))
    const ms = frame.fromMs + share * (frame.untilMs - frame.fromMs)
    const near = moments.reduce(
      (best, one, index) => (Math.abs(one - ms) < Math.abs(moments[best]! - ms) ? index : best),
      0,
    )
    setAt(moments.length > 0 ? near : null)
  }
  const step = (event: KeyboardEvent): void => {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (!move || moments.length === 0) return
    event.preventDefault()
    setAt((before) =>
      Math.min(moments.length - 1, Math.max(0, (before ?? (move > 0 ? -1 : moments.length)) + move)),
    )
  }
  const chosen = at === null ? null : (moments[at] ?? null)
  return (
    <figure className="rb-chart">
      <figcaption className="rb-legend">
        {series.map(({ label: name, tone = 'accent', points }) => (
          <span key={name} className={`rb-tone-${tone}`}>
            <svg width="10" height="10" aria-hidden="true">
              <rect width="10" height="10" rx="2" className="rb-swatch" />
            </svg>{' '}
            {name}
            {chosen === null ? null : <b> {tellAt(points, chosen, tell)}</b>}
          </span>
        ))}
        <span className="rb-chart-at" aria-live="polite">
          {chosen === null ? '' : momentText(chosen, frame)}
        </span>
      </figcaption>
      <div
        ref={box}
        className="rb-chart-box"
        tabIndex={0}
        role="img"
        aria-label={label}
        onKeyDown={step}
        onBlur={() => setAt(null)}
        onMouseMove={(event) => point(event.clientX)}
        onMouseLeave={() => setAt(null)}
      >
        <svg width={width} height={height} aria-hidden="true">
          <g transform={`translate(${LEFT} ${TOP})`}>
            {ticks.map((tick) => (
              <g key={tick}>
                <line
                  x1={0}
                  x2={frame.width}
                  y1={placeY(tick, frame)}
                  y2={placeY(tick, frame)}
                  className="rb-grid"
                />
                <text x={-6} y={placeY(tick, frame) + 4} textAnchor="end" className="rb-axis">
                  {tell(tick)}
                </text>
              </g>
            ))}
            <TimeAxis frame={frame} />
            {series.map(({ label: name, points, tone = 'accent', fill }) => (
              <g key={name} className={`rb-tone-${tone}`}>
                {fill ? <path d={areaOf(points, frame)} className="rb-area" /> : null}
                <path d={pathOf(points, frame)} className="rb-line" />
              </g>
            ))}
            {chosen === null ? null : (
              <line
                x1={placeX(chosen, frame)}
                x2={placeX(chosen, frame)}
                y1={0}
                y2={frame.height}
                className="rb-cursor"
              />
            )}
          </g>
        </svg>
      </div>
      <Figures series={series} moments={moments} label={label} tell={tell} frame={frame} />
    </figure>
  )
}

/** A line without axes, for a cell of a table. */
export function Sparkline({
  points,
  label,
  tone = 'accent',
}: {
  points: readonly Point[]
  label: string
  tone?: Series['tone']
}): ReactNode {
  const [width, height] = [96, 24]
  const frame: Frame = {
    fromMs: points[0]?.[0] ?? 0,
    untilMs: points.at(-1)?.[0] ?? 1,
    max: Math.max(1, ...points.map(([, value]) => value ?? 0)),
    width,
    height: height - 2,
  }
  return (
    <svg width={width} height={height} role="img" aria-label={label} className={`rb-spark rb-tone-${tone}`}>
      <path d={areaOf(points, frame)} className="rb-area" />
      <path d={pathOf(points, frame)} className="rb-line" />
    </svg>
  )
}

/** A share of a whole as a bar. */
export function Bar({
  value,
  max,
  label,
  tone = 'accent',
}: {
  value: number
  max: number
  label: string
  tone?: Series['tone']
}): ReactNode {
  const share = max > 0 ? Math.min(1, Math.max(0, value / max)) : 0
  return (
    <svg
      className={`rb-bar rb-tone-${tone}`}
      viewBox="0 0 100 8"
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <rect width="100" height="8" className="rb-bar-ground" />
      <rect width={Math.round(share * 1000) / 10} height="8" className="rb-swatch" />
    </svg>
  )
}

function TimeAxis({ frame }: { frame: Frame }): ReactNode {
  const count = Math.max(1, Math.floor(frame.width / LABEL_PX))
  const moments = Array.from(
    { length: count + 1 },
    (_, at) => frame.fromMs + (at / count) * (frame.untilMs - frame.fromMs),
  )
  return (
    <>
      {moments.map((ms, at) => (
        <text
          key={ms}
          x={placeX(ms, frame)}
          y={frame.height + 16}
          textAnchor={at === 0 ? 'start' : at === count ? 'end' : 'middle'}
          className="rb-axis"
        >
          {momentText(ms, frame)}
        </text>
      ))}
    </>
  )
}

function Figures(props: {
  series: readonly Series[]
  moments: readonly number[]
  label: string
  tell: (value: number) => string
  frame: Frame
}): ReactNode {
  const { series, moments, label, tell, frame } = props
  const [isOpen, setOpen] = useState(false)
  return (
    <details className="rb-chart-figures" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{t('kit.chartTable')}</summary>
      {isOpen ? (
        <div className="rb-table-box rb-chart-scroll" tabIndex={0} role="region" aria-label={label}>
          <table className="rb-table rb-table-plain" aria-label={label}>
            <thead>
              <tr>
                <th scope="col">{t('kit.chartTime')}</th>
                {series.map(({ label: name }) => (
                  <th key={name} scope="col" className="rb-right">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {moments.map((ms) => (
                <tr key={ms}>
                  <th scope="row">{momentText(ms, frame)}</th>
                  {series.map(({ label: name, points }) => (
                    <td key={name} className="rb-right">
                      {tellAt(points, ms, tell)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
    </details>
  )
}

function tellAt(points: readonly Point[], ms: number, tell: (value: number) => string): string {
  const value = points.find(([at]) => at === ms)?.[1]
  return value === undefined || value === null ? '–' : tell(value)
}

/** As exact as the stretch needs. */
function momentText(ms: number, { fromMs, untilMs }: Frame): string {
  const span = untilMs - fromMs
  const format: Intl.DateTimeFormatOptions =
    span > 2 * 86_400_000
      ? { month: 'short', day: 'numeric', ...(span < 8 * 86_400_000 ? { hour: '2-digit' } : {}) }
      : { hour: '2-digit', minute: '2-digit', ...(span < 600_000 ? { second: '2-digit' } : {}) }
  return new Intl.DateTimeFormat(localeTag(), format).format(new Date(ms))
}

function useWidth(box: { current: HTMLDivElement | null }): number {
  const [width, setWidth] = useState(600)
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width)))
    watch.observe(box.current!)
    return () => watch.disconnect()
  }, [])
  return width
}
