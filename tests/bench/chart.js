// Draws notes/pictures/*.svg from notes/data/*.json: the same data, the same bytes.
//
//     node tests/bench/chart.js            draws them
//     node tests/bench/chart.js --check    says whether they are what the data say (exit code 1: no)
'use strict'

const fs = require('fs')
const path = require('path')

const notes = path.resolve(__dirname, '../../notes')

// Colours with enough contrast on white and on black, for readers of either.
const looks = {
  ours: ['ours', '#2f7ed8'],
  exclusive: ['ours, --accept exclusive', '#7a9ec9'],
  shared: ['ours, --policy shared', '#7a9ec9'],
  least_busy: ['ours, --policy least_busy', '#5b9aa0'],
  floor: ['floor: raw calls', '#8c8c8c'],
  nginx: ['nginx', '#2e9e5b'],
  node: ['Node, shared listener', '#d9822b'],
  node_cluster: ['Node, cluster', '#b0563a'],
  node_shared: ['Node, SCHED_NONE', '#b0563a'],
  node_primary: ["Node's primary, our workers", '#9b6bc4'],
  node_workers: ["our primary, Node's workers", '#b8a12e']
}
const shades = ['#2f7ed8', '#d9822b', '#2e9e5b', '#9b6bc4', '#c0504d', '#5b9aa0', '#8c8c8c', '#b8a12e']

const width = 760
const escape = text => String(text).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
const number = value => String(Number(value.toFixed(1)))

class Drawing {
  constructor (title) {
    this.title = title
    this.y = 34
    this.parts = [this.text(16, 24, title, 'class="title"')]
  }

  text (x, y, content, attributes = '') {
    return `<text x="${number(x)}" y="${number(y)}"${attributes && ' ' + attributes}>${escape(content)}</text>`
  }

  add (...parts) { this.parts.push(...parts) }

  heading (content) {
    this.y += 22
    this.add(this.text(16, this.y, content, 'class="heading"'))
    this.y += 8
  }

  note (content) {
    this.y += 18
    this.add(this.text(16, this.y, content, 'class="note"'))
  }

  bar (x, length, colour) {
    return `<rect x="${number(x)}" y="${number(this.y + 3)}" width="${number(Math.max(length, 0.5))}" height="13" fill="${colour}"/>`
  }

  // A thin line over a bar, with an end on each side.
  span (from, to) {
    const middle = this.y + 9.5
    return `<path class="span" d="M${number(from)} ${middle - 3.5}v7m0 -3.5H${number(to)}m0 -3.5v7"/>`
  }

  toString () {
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${this.y + 18}" viewBox="0 0 ${width} ${this.y + 18}" role="img" aria-label="${escape(this.title)}">
<style>
text { font: 12px sans-serif; fill: #222 }
.title { font-size: 15px; font-weight: bold }
.heading { font-weight: bold }
.note { fill: #666 }
.span { fill: none; stroke: #222 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .note { fill: #999 } .span { stroke: #ddd } }
</style>
${this.parts.join('\n')}
</svg>
`
  }
}

const source = data => `${data.date}, Linux ${data.kernel}, ${data.cores} cores, Node ${data.versions.node}, nginx ${data.versions.nginx}, g++ ${data.versions['g++']}`

// What stands beside a bar, and where: [title, right edge, text of a figure].
const columns = [
  ['us', 504, figure => figure.cpu_us.toFixed(1)],
  ['calls', 552, figure => figure.calls?.toFixed(1)],
  ['switches', 614, figure => figure.switches?.toFixed(2)],
  ['per second', 690, figure => figure.per_second],
  ['p99, ms', width - 8, figure => figure.p99_ms.toFixed(1)]
]

function drawBench (data) {
  const drawing = new Drawing('What a server spends on one request: processor time, system calls, context switches')
  const left = 200
  for (const { title, workers, candidates } of data.per_request) {
    drawing.heading(`${title}, ${workers} workers`)
    const known = columns.filter(([, , text]) => Object.values(candidates).some(text)) // calls cannot be counted everywhere
    drawing.add(...known.map(([title, right]) => drawing.text(right, drawing.y - 8, title, 'class="note" text-anchor="end"')))
    const most = Math.max(...Object.values(candidates).flatMap(figure => figure.cpu_us_of_each_round))
    const x = cpu_us => left + (columns[0][1] - 50 - left) * cpu_us / most
    for (const [name, figure] of Object.entries(candidates)) {
      const [least, greatest] = [Math.min(...figure.cpu_us_of_each_round), Math.max(...figure.cpu_us_of_each_round)]
      const [label, colour] = looks[name]
      drawing.add(
        drawing.text(left - 8, drawing.y + 14, name === 'node' && !candidates.node_cluster ? 'Node' : label, 'text-anchor="end"'),
        drawing.bar(left, x(figure.cpu_us) - left, colour),
        drawing.span(x(least), x(greatest)),
        ...known.map(([, right, text]) => drawing.text(right, drawing.y + 14, text(figure) ?? '-', 'text-anchor="end"')))
      drawing.y += 19
    }
  }
  if (data.handles) {
    drawing.heading('Connections from one process to another, each second; longer is better')
    const most = Math.max(...data.handles.map(({ per_second }) => per_second))
    for (const { title, candidate, per_second: count } of data.handles) {
      drawing.add(
        drawing.text(left - 8, drawing.y + 14, title, 'text-anchor="end"'),
        drawing.bar(left, (columns[0][1] - 50 - left) * count / most, looks[candidate][1]),
        drawing.text(columns[3][1], drawing.y + 14, count, 'text-anchor="end"'))
      drawing.y += 19
    }
  }
  drawing.note('Bars: processor time of all processes of the server, medians of ' + data.effort.rounds + ' interleaved rounds. Thin lines: from the')
  drawing.note('best round to the worst; where these overlap, a difference may be chance. p99: 99 of 100 were answered within this')
  drawing.note('time. The load ran on the same machine. Each group has a scale of its own.')
  drawing.note(source(data))
  return drawing
}

function drawSharing (data) {
  const total = data.effort.connections
  const drawing = new Drawing(`${total} connections, one after the other: who gets them?`)
  const left = 200
  const right = width - 230
  drawing.y += 20
  drawing.add(
    drawing.text(left, drawing.y, `share of each of the ${data.workers} workers`, 'class="note"'),
    drawing.text(right + 14, drawing.y, 'sleeps each', 'class="note"'),
    drawing.text(width - 16, drawing.y, 'woken for nothing', 'class="note" text-anchor="end"'))
  drawing.y += 6
  for (const { title, connections, sleeps_per_connection: sleeps, woken_for_nothing: vain } of data.ways) {
    drawing.add(drawing.text(left - 8, drawing.y + 14, title, 'text-anchor="end"'))
    let x = left
    connections.forEach((count, i) => {
      const length = (right - left) * count / total
      if (count) drawing.add(drawing.bar(x, length, shades[i]))
      if (length > 28) drawing.add(drawing.text(x + length / 2, drawing.y + 14, count, 'text-anchor="middle" style="fill:#fff"'))
      x += length
    })
    drawing.add(
      drawing.bar(right + 14, 14 * sleeps, '#8c8c8c'),
      drawing.text(right + 20 + 14 * sleeps, drawing.y + 14, sleeps.toFixed(2)),
      drawing.text(width - 16, drawing.y + 14, vain ?? 'not counted', 'text-anchor="end"'))
    drawing.y += 22
  }
  drawing.note('Sleeps each: voluntary context switches of all processes of the server, for one connection.')
  drawing.note(source(data))
  return drawing
}

const charts = { bench: drawBench, sharing: drawSharing }

// Names of the pictures that differ from what the data say, after drawing them unless told not to.
function drawAll ({ write = true } = {}) {
  return Object.entries(charts).filter(([name, draw]) => {
    const data = JSON.parse(fs.readFileSync(path.join(notes, 'data', `${name}.json`), 'utf8'))
    const file = path.join(notes, 'pictures', `${name}.svg`)
    const wanted = String(draw(data))
    const same = fs.existsSync(file) && fs.readFileSync(file, 'utf8') === wanted
    if (!same && write) {
      fs.mkdirSync(path.dirname(file), { recursive: true })
      fs.writeFileSync(file, wanted)
    }
    return !same
  }).map(([name]) => `${name}.svg`)
}

module.exports = { drawAll }

if (require.main === module) {
  const write = !process.argv.includes('--check')
  const different = drawAll({ write })
  if (!write && different.length) {
    console.error(`not what the data say: ${different.join(' ')}\n  node tests/bench/chart.js draws them`)
    process.exitCode = 1
  }
}
