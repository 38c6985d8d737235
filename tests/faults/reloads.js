// Clients who never stop asking, while all workers are replaced by new ones, time and again: does anybody notice?
//
//     node tests/faults/reloads.js [--reloads 20] [--requests 100000] [--node]
//
// Half of the clients keep their connections, the others open one for each request. --node: Node's cluster beside
// ours, with the usual recipe (tests/interop/node/cluster/main.js); its figures are only shown. Exit code 1 when a
// request of ours was refused, reset, cut off, or not answered in time, or a worker has outlived its time.
'use strict'
const net = require('net')
const path = require('path')
const { parseArgs } = require('util')
const { Server, build, root } = require('../bench/servers')
const { table } = require('../bench/table')

const clients = 32
const workers = 4
const hungAfter = 10000 // ms

const { values: { reloads, requests, node } } = parseArgs({
  options: {
    reloads: { type: 'string', default: '20' },
    requests: { type: 'string', default: '100000' }, // at least, in all
    node: { type: 'boolean', default: false }
  }
})

const ours = policy => ({
  name: `ours, ${policy}`, isOurs: true,
  command: [path.join(build, 'demos/cluster'), '--port', 0, '--workers', workers, '--policy', policy]
})
const scenarios = [ours('round_robin'), ours('least_busy'), ours('shared')]
if (node) {
  scenarios.push({
    name: "Node's cluster",
    command: [process.execPath, path.join(root, 'tests/interop/node/cluster/main.js'), '--port', 0, '--workers', workers]
  })
}

function isComplete (answer) {
  const head = answer.indexOf('\r\n\r\n')
  if (head < 0) return false
  const length = /^content-length: (\d+)/im.exec(answer)
  return length ? answer.length >= head + 4 + Number(length[1]) : answer.endsWith('\r\n0\r\n\r\n')
}

// One request on this connection, or on a new one. Resolves to how it ended, who answered, and the connection if it
// can be used again.
function ask (port, keepAlive, kept) {
  const socket = kept ?? net.connect(port, '127.0.0.1')
  return new Promise(resolve => {
    let answer = ''
    const end = how => {
      clearTimeout(limit)
      socket.removeAllListeners()
      socket.on('error', () => {})
      const goesOn = how === 'answered' && keepAlive && !/^connection: close/im.test(answer)
      if (!goesOn) socket.destroy()
      resolve({ how, pid: /worker-(\d+)/.exec(answer)?.[1], kept: goesOn ? socket : undefined })
    }
    const limit = setTimeout(end, hungAfter, 'hung')
    socket.on('data', data => {
      answer += data
      if (isComplete(answer)) end('answered')
    })
    // A kept connection may be ended by either side at any time: whoever has read nothing asks again (RFC 9112, 9.3.1).
    socket.on('end', () => end(kept && !answer ? 'again' : 'cut'))
    socket.on('error', error => end(error.code === 'ECONNREFUSED' ? 'refused' : 'reset'))
    socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\n${keepAlive ? '' : 'Connection: close\r\n'}\r\n`)
  })
}

const wait = ms => new Promise(resolve => setTimeout(resolve, ms))

async function run ({ name, command, isOurs }) {
  const server = await Server.start(command)
  const count = { answered: 0, again: 0, refused: 0, reset: 0, cut: 0, hung: 0 }
  const pids = new Set()
  let isOver = false
  const client = async keepAlive => {
    let connection
    while (!isOver) {
      const { how, pid, kept } = await ask(server.port, keepAlive, connection)
      ++count[how]
      if (pid) pids.add(pid)
      connection = kept
    }
    connection?.destroy()
  }
  const load = Array.from({ length: clients }, (_, i) => client(i % 2 === 0))

  const began = performance.now()
  let slowest = 0
  let isReloaded
  server.process.stderr.on('data', data => { if (String(data).includes('reloaded: ')) isReloaded?.() })
  for (let i = 1; i <= reloads; ++i) {
    const asked = performance.now()
    const reloaded = new Promise(resolve => { isReloaded = resolve })
    server.process.kill('SIGUSR2')
    await Promise.race([reloaded, wait(60000).then(() => { throw new Error(`${name}: no end of a reload\n${server.stderr}`) })])
    slowest = Math.max(slowest, performance.now() - asked)
    while (count.answered < requests * i / reloads) await wait(10)
  }
  const seconds = (performance.now() - began) / 1000
  isOver = true
  await Promise.all(load)
  for (let i = 0; i < 1000 && server.processes.length - 1 !== workers; ++i) await wait(10) // the last ones leave
  const left = server.processes.length - 1
  await server.stop()
  const code = server.process.exitCode
  const lost = count.refused + count.reset + count.cut + count.hung
  const isGood = lost === 0 && left === workers && code === 0 && pids.size > workers * reloads
  if (isOurs && !isGood) console.log(`WRONG: ${name}: exit code ${code}, ${left} workers at the end, ${pids.size} have answered\n${server.stderr}`)
  return { isGood: isGood || !isOurs, row: [name, ...Object.values(count), pids.size, seconds.toFixed(1), Math.round(slowest)] }
}

async function main () {
  console.log(`${reloads} reloads of ${workers} workers, ${clients} clients, half of them with connections that they keep\n`)
  const results = []
  for (const scenario of scenarios) results.push(await run(scenario))
  table(['', 'answered', 'asked again', 'refused', 'reset', 'cut off', 'hung', 'workers', 's', 'slowest reload, ms'],
    results.map(({ row }) => row))
  return results.every(({ isGood }) => isGood) ? 0 : 1
}

main().then(code => process.exit(code), error => {
  console.error(error.message)
  process.exit(1)
})
