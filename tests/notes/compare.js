// Compares what a transcript shows with what came out: PIDs by the role of their process, the rest to the letter.
'use strict'

// Where a number is a PID for certain.
const pid_positions = [
  /(?<=子进程：)\d+/g, /(?<=worker-)\d+/g, /(?<=(?<!‹|: )\bworker )\d+(?!›)/g, /(?<=\[)\d+(?=\] )/g, /(?<=\[pid +)\d+(?=\] )/g,
  /^\d+(?= +\d+ +\d+\.\d %  )/g, /(?<=^\d+ (?:->|<-) )\d+(?=  )/g, /^\d+(?= (?:->|<-) )/g
]

// The roles of PIDs: workers by slot; other processes of the session, of which `started` knows. For a shown text there is no
// `started`: one has to believe that a PID without a slot is some process, unless the text has told its workers.
class Roles {
  constructor(workers, started = null) {
    this.slot = new Map(workers.map((pid, i) => [String(pid), `‹worker ${i}›`]))
    this.started = started
  }

  of(pid, position) {
    const slot = this.slot.get(pid)
    if (slot || position === null) return slot ?? pid
    const another = this.started ? this.started(Number(pid)) : this.slot.size === 0 || position.source.includes('->')
    return another ? '‹process›' : `‹not a worker: ${pid}›`
  }

  replace(line) {
    for (const position of pid_positions) line = line.replace(position, pid => this.of(pid, position))
    return line.replace(/(?<![\d.,:‹])\b\d+\b(?![.,]\d|›)/g, number => this.of(number, null))
  }
}

const workers_in = lines => {
  const ready = lines.map(line => line.match(/^listening on .*, workers((?: \d+)+);/)).filter(Boolean).at(-1)
  return ready ? ready[1].trim().split(' ') : []
}

// A worker that takes the place of another has no slot in the ready line: it is the first, second, ... such.
function newcomers(lines) {
  const pids = lines.flatMap(line => line.match(/worker (\d+) takes its place/)?.[1] ?? [])
  return new Map(pids.map((pid, i) => [pid, `‹new worker ${i}›`]))
}

// Removes what is allowed to vary.
function relax(lines, varies) {
  if (varies.has('worker'))
    lines = lines.map(line => line
      .replace(/(http (?:socket|server))(\d+)(?= 子进程：‹(worker \2|process)›)/g, '$1‹its number›')
      .replace(/‹(?:worker \d+|new worker \d+|process)›/g, '‹a worker›'))
  if (varies.has('tally')) {
    const bar = /^‹(?:worker \d+|a worker|new worker \d+|process)› +(\d+) +\d+\.\d %(?:  #+)?$/
    const first = lines.findIndex(line => bar.test(line))
    const sum = lines.reduce((total, line) => total + Number(line.match(bar)?.[1] ?? 0), 0)
    lines = lines.flatMap((line, i) => !bar.test(line) ? [line] : i === first ? [`‹bars, ${sum} in all›`] : [])
  }
  if (varies.has('numbers')) lines = lines.map(line => line.replace(/‹[^›]*›|\d+(?:[.,]\d+)*/g, found => found[0] === '‹' ? found : '‹number›'))
  return lines
}

// The lines with roles for PIDs, 8888 for the port, and without what may vary.
function normalise(lines, roles, { port = 8888, varies = new Set() } = {}) {
  for (const [pid, role] of newcomers(lines)) roles.slot.set(pid, role)
  return relax(lines.map(line => roles.replace(line
    .replace(new RegExp(`\\b${port}\\b`, 'g'), '8888').replace(new RegExp(`\\b${port + 1}\\b`, 'g'), '8889')
    .replace(/ --port 8888\b/g, '').trimEnd())), varies)
}

// A shown line stands for itself; `...` within it for any text. Where PIDs have more digits now, or fewer, the lengths of
// what they are part of differ by as many: `longer`.
function same_line(shown, line, longer) {
  if (shown === line) return true
  if (!shown.includes('...') && !longer.length) return false
  const literal = text => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  const parts = shown.split(/(\.\.\.|‹[^›]*›|\b\d{2,}\b)/).map(part => part === '...' ? '.*'
    : /^\d/.test(part) ? `(?:${[part, ...longer.map(more => Number(part) + more)].join('|')})` : literal(part))
  return new RegExp(`^${parts.join('')}$`).test(line)
}

const is_gap = line => line.trim() === '...'

function same_set(shown, lines, longer) {
  const left = [...lines]
  const wanted = shown.filter(line => !is_gap(line)).sort((a, b) => a.includes('...') - b.includes('...'))
  for (const line of wanted) {
    const at = left.findIndex(candidate => same_line(line, candidate, longer))
    if (at < 0) return `nothing like: ${line}`
    left.splice(at, 1)
  }
  if (left.length && !shown.some(is_gap)) return `not shown: ${left[0]}`
}

function same_sequence(shown, lines, longer) {
  // reach[i]: the shown lines up to here can be matched with the first i lines
  let reach = new Set([0])
  for (const line of shown) {
    const next = new Set()
    for (const i of reach) {
      if (is_gap(line)) for (let j = i; j <= lines.length; j++) next.add(j)
      else if (i < lines.length && same_line(line, lines[i], longer)) next.add(i + 1)
    }
    if (!next.size) {
      const furthest = Math.max(...reach)
      return `shown "${line}", but there is ${furthest < lines.length ? `"${lines[furthest]}"` : 'no further line'}`
    }
    reach = next
  }
  if (!reach.has(lines.length)) return `not shown: ${lines[Math.max(...reach)]}`
}

// What differs, in words; undefined when nothing does.
const difference = (shown, lines, { any_order = false, longer = [] } = {}) => (any_order ? same_set : same_sequence)(shown, lines, longer)

module.exports = { Roles, difference, normalise, workers_in, is_gap }
