/** A run as the call that asks for the same again. Pure; each text is quoted as its language wants it. */
import type { RunDocument } from '../../../src/results/run.ts'

/** What was said of it beside task and input, where it differs from what is usual. */
function optionsOf(run: RunDocument): Record<string, unknown> {
  return {
    queue: run.queue,
    ...(run.priority === 0 ? {} : { priority: run.priority }),
    ...(run.tags.length === 0 ? {} : { tags: run.tags }),
    ...(Object.keys(run.headers).length === 0 ? {} : { headers: run.headers }),
    ...(run.unique_key === null ? {} : { unique_key: run.unique_key }),
  }
}

const shell = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
const sql = (text: string): string => `'${text.replaceAll("'", "''")}'`

export function asCurl(run: RunDocument, url: string): string {
  const body = JSON.stringify({ task: run.task, input: run.input, ...optionsOf(run) })
  return [
    `curl ${shell(`${url}/v1/runs`)} \\`,
    `  -H "Authorization: Bearer $ROWBEAT_KEY" -H 'Content-Type: application/json' \\`,
    `  -d ${shell(body)}`,
  ].join('\n')
}

export function asSql(run: RunDocument): string {
  const { queue, priority, tags, headers, unique_key } = optionsOf(run)
  const more = [
    `queue => ${sql(String(queue))}`,
    priority === undefined ? '' : `priority => ${String(priority)}`,
    tags === undefined ? '' : `tags => array[${(tags as string[]).map(sql).join(', ')}]`,
    headers === undefined ? '' : `headers => ${sql(JSON.stringify(headers))}`,
    unique_key === undefined ? '' : `unique_key => ${sql(String(unique_key))}`,
  ].filter(Boolean)
  return `select rowbeat.enqueue(${sql(run.task)}, ${sql(JSON.stringify(run.input))}, ${more.join(', ')});\n\nselect * from rowbeat.run(${sql(run.id)});`
}

export function asTypeScript(run: RunDocument): string {
  const { unique_key: uniqueKey, ...rest } = optionsOf(run)
  const options = JSON.stringify({ ...rest, ...(uniqueKey === undefined ? {} : { uniqueKey }) }, null, 2)
  return `const run = await rowbeat.enqueue(${JSON.stringify(run.task)}, ${JSON.stringify(run.input, null, 2)}, ${options})`
}

export function asCommand(run: RunDocument): string {
  const input = run.input === null ? '' : ` ${shell(JSON.stringify(run.input))}`
  return `rowbeat call ${shell(run.task)}${input} --queue ${shell(run.queue)}\n\nrowbeat runs show ${run.id}`
}
