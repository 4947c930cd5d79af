/** The arithmetic of charts: round steps for an axis, and where a value lies. Pure. */
export interface Scale {
  max: number
  ticks: number[]
}

/** From 0 to a round number at or above the largest, in at most `steps` round steps. */
export function scaleTo(largest: number, steps = 4): Scale {
  if (!(largest > 0)) return { max: 1, ticks: [0, 1] }
  const rough = largest / steps
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= rough * 0.999999)!
  const count = Math.ceil(largest / step - 1e-9)
  const ticks = Array.from({ length: count + 1 }, (_, at) => Number((at * step).toPrecision(12)))
  return { max: ticks.at(-1)!, ticks }
}

export type Point = readonly [atMs: number, value: number | null]

export interface Frame {
  fromMs: number
  untilMs: number
  max: number
  width: number
  height: number
}

export function placeX(atMs: number, { fromMs, untilMs, width }: Frame): number {
  return untilMs === fromMs ? width / 2 : round(((atMs - fromMs) / (untilMs - fromMs)) * width)
}

export function placeY(value: number, { max, height }: Frame): number {
  return round(height - (Math.min(value, max) / max) * height)
}

/** The path of a line; where a value is null it is broken. */
export function pathOf(points: readonly Point[], frame: Frame): string {
  let isBroken = true
  return points
    .map(([at, value]) => {
      if (value === null) {
        isBroken = true
        return ''
      }
      const word = isBroken ? 'M' : 'L'
      isBroken = false
      return `${word}${placeX(at, frame)} ${placeY(value, frame)}`
    })
    .join('')
}

/** The same with the ground below it, for a filled line. Null counts as 0. */
export function areaOf(points: readonly Point[], frame: Frame): string {
  if (points.length === 0) return ''
  const line = points.map(([at, value]) => `L${placeX(at, frame)} ${placeY(value ?? 0, frame)}`).join('')
  const [first, last] = [points[0]![0], points.at(-1)![0]]
  return `M${placeX(first, frame)} ${frame.height}${line}L${placeX(last, frame)} ${frame.height}Z`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
