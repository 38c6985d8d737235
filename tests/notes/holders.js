#!/usr/bin/env node
// node tests/notes/holders.js check|update [NOTES]
//
// Who holds the listening socket? Starts the demos, kills some of their processes, and looks in /proc who has a descriptor for the
// socket that listens, and whether a client can still connect. Compares that with notes/data/holders.json, and that with its
// picture. `update` writes both.
'use strict'
const fs = require('fs')
const net = require('net')
const os = require('os')
const path = require('path')
const { Session, is_running } = require('./session.js')

const root = path.join(__dirname, '../..')

// ---- what is there

// The inodes of the sockets that listen on a port: state 0A in /proc/net/tcp.
function listening_on(port) {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return fs.readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1).map(line => line.trim().split(/\s+/))
    .filter(fields => fields[1].endsWith(end) && fields[3] === '0A').map(fields => fields[9])
}

function sockets_of(pid) {
  try {
    return fs.readdirSync(`/proc/${pid}/fd`).map(fd => fs.readlinkSync(`/proc/${pid}/fd/${fd}`).match(/^socket:\[(\d+)\]$/)?.[1])
  } catch { return [] } // it has ended
}

const can_connect = port => new Promise(resolve => {
  const client = net.connect(port, '127.0.0.1').once('error', () => resolve(false)).once('connect', () => resolve(true) || client.destroy())
})

// One demo, and what is so at each of its moments: {what, processes: by name 'holds', 'lives' or 'gone', connects}.
async function watch(command, moments) {
  const session = new Session(root)
  const found = []
  try {
    const started = await session.start(command)
    if (!await session.until(() => started.lines.some(line => line.startsWith('listening on ')) || started.exit !== null, 20000) || started.exit !== null)
      throw new Error(`${command} does not listen; it said: ${started.lines.join('\n')}`)
    session.look()
    const main = Number(fs.readFileSync(`/proc/${session.workers[0]}/stat`, 'utf8').match(/\) \w (\d+)/)[1])
    const pids = [main, ...session.workers]
    for (const { what, kill = [], ended = kill } of moments) {
      for (const i of kill) process.kill(pids[i], 'SIGKILL')
      if (!await session.until(() => !ended.some(i => is_running(pids[i])), 10000)) throw new Error(`${command}, ${what}: somebody lives on`)
      const inodes = listening_on(session.port)
      const state = pid => !is_running(pid) ? 'gone' : sockets_of(pid).some(inode => inodes.includes(inode)) ? 'holds' : 'lives'
      found.push({ command, what, main: state(main), workers: session.workers.map(state), connects: await can_connect(session.port) })
    }
  } finally {
    await session.end()
  }
  return found
}

const record = async () => [
  ...await watch('build/demos/socket_fanout', [{ what: 'ready' }]),
  ...await watch('build/demos/server_handoff', [
    { what: 'ready' }, { what: 'worker 1 killed', kill: [2] }, { what: 'all killed', kill: [1, 3, 4], ended: [0, 1, 3, 4] }]),
  ...await watch('build/demos/server_handoff --respawn', [
    { what: 'ready' }, { what: 'main killed', kill: [0], ended: [0, 1, 2, 3, 4] }])
]

// ---- the picture

const colours = { holds: '#2f7ed8', other: '#8c8c8c' }
const left = 96, top = 66, column = 108, row = 30

function draw(moments) {
  const width = left + moments.length * column + 16, height = top + 7 * row + 34
  const parts = []
  const text = (x, y, words, style = '') => parts.push(`<text x="${x}" y="${y}"${style && ` class="${style}"`}>${words}</text>`)
  text(16, 24, 'Who holds the listening socket?', 'title')
  const rows = ['main', 'worker 0', 'worker 1', 'worker 2', 'worker 3']
  rows.forEach((name, i) => text(16, top + (i + 1) * row + 4, name))
  text(16, top + 6 * row + 4, 'a client')

  moments.forEach(({ command, what, main, workers, connects }, i) => {
    const x = left + i * column + column / 2
    const program = command.replace('build/demos/', '')
    if (command !== moments[i - 1]?.command) {
      text(x - column / 2 + 8, top - 18, program, 'heading')
      if (i) parts.push(`<line x1="${x - column / 2}" y1="${top - 32}" x2="${x - column / 2}" y2="${top + 6 * row + 12}"/>`)
    }
    text(x - column / 2 + 8, top, what)
    ;[main, ...workers].forEach((state, k) => {
      const y = top + (k + 1) * row
      if (state === 'holds') parts.push(`<circle cx="${x}" cy="${y}" r="8" fill="${colours.holds}"/>`)
      else if (state === 'lives') parts.push(`<circle cx="${x}" cy="${y}" r="7" fill="none" stroke="${colours.other}" stroke-width="1.5"/>`)
      else parts.push(`<path d="M${x - 5} ${y - 5}l10 10m0 -10l-10 10" stroke="${colours.other}" stroke-width="1.5"/>`)
    })
    text(x, top + 6 * row + 4, connects ? 'connects' : 'is refused', connects ? 'middle' : 'middle strong')
  })
  const y = height - 22
  parts.push(`<circle cx="24" cy="${y}" r="8" fill="${colours.holds}"/>`, `<circle cx="206" cy="${y}" r="7" fill="none" stroke="${colours.other}" stroke-width="1.5"/>`,
    `<path d="M371 ${y - 5}l10 10m0 -10l-10 10" stroke="${colours.other}" stroke-width="1.5"/>`)
  text(40, y + 4, 'has a descriptor for it', 'note')
  text(222, y + 4, 'runs, and has none', 'note')
  text(392, y + 4, 'has ended; the kernel closed what it had', 'note')
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="Who holds the listening socket">
<style>
text { font: 12px sans-serif; fill: #222 }
.title { font-size: 15px; font-weight: bold }
.heading, .strong { font-weight: bold }
.middle { text-anchor: middle }
.note { fill: #666 }
line { stroke: #999; stroke-dasharray: 2 3 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .note { fill: #999 } }
</style>
${parts.join('\n')}
</svg>
`
}

async function main(command, notes = path.join(root, 'notes')) {
  const data_file = path.join(notes, 'data/holders.json'), picture_file = path.join(notes, 'pictures/holders.svg')
  const moments = await record()
  const committed = fs.existsSync(data_file) ? JSON.parse(fs.readFileSync(data_file, 'utf8')) : undefined
  const same = JSON.stringify(committed?.moments) === JSON.stringify(moments)
  const picture = draw(same ? committed.moments : moments)
  const drawn = fs.existsSync(picture_file) && fs.readFileSync(picture_file, 'utf8') === picture
  if (command === 'update') {
    const recorded = { kernel: os.release().match(/^\d+\.\d+/)[0], cores: os.cpus().length, date: new Date().toISOString().slice(0, 10), moments }
    if (!same) fs.writeFileSync(data_file, JSON.stringify(recorded, null, 2) + '\n')
    if (!drawn) fs.writeFileSync(picture_file, picture)
    return 0
  }
  if (!same) console.log(`notes/data/holders.json is not what is so now:\n${JSON.stringify(moments, null, 1)}`)
  else if (!drawn) console.log('notes/pictures/holders.svg is not the picture of notes/data/holders.json')
  else console.log('notes/data/holders.json is what is so, and notes/pictures/holders.svg its picture')
  return same && drawn ? 0 : 1
}

main(...process.argv.slice(2)).then(code => { process.exitCode = code })
