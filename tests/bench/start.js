// Time from starting a program to its ready line, and to its first answer (that says more of Node,
// whose main is ready before its children are); and the memory of its workers after some work. One
// program at a time: whoever shares pages with it would make it look smaller.
'use strict'

const { Server, commands } = require('./servers')
const { oneConnectionEach } = require('./load')
const { median, round, table } = require('./table')

const programs = {
  http_cluster: commands.keep_alive.ours,
  socket_fanout: commands.fanout.ours,
  server_handoff: commands.handoff.ours,
  floor: commands.close.floor,
  nginx: commands.keep_alive.nginx,
  node: commands.keep_alive.node,
  node_cluster: commands.keep_alive.node_cluster
}
const ours = ['http_cluster', 'socket_fanout', 'server_handoff']
const limits = { ready_ms: 15, memory_kib: 0.8 * 1024 }

async function measure (chosen, effort) {
  const names = Object.keys(programs).filter(name => chosen(ours.includes(name) ? 'ours' : name))
  const samples = Object.fromEntries(names.map(name => [name, []]))
  for (let i = 0; i < effort.starts; i++) {
    for (const name of names) {
      const server = await Server.start(programs[name](4))
      try {
        const answered = await server.firstAnswer()
        await oneConnectionEach('http', server.port, { count: 1000, concurrency: 64 })
        samples[name].push({ ready_ms: server.readyAfter, answered_ms: answered, memory_kib: server.memory() })
      } finally {
        await server.stop()
      }
    }
  }
  return Object.fromEntries(names.map(name => {
    const of = key => median(samples[name].map(sample => sample[key]))
    const result = { answered_ms: round(of('answered_ms'), 1), memory_kib: Math.round(of('memory_kib')) }
    return [name, name === 'nginx' ? result : { ready_ms: round(of('ready_ms'), 1), ...result }]
  }))
}

function print (start) {
  console.log('start and memory, 4 workers')
  table(['', 'ready, ms', 'first answer, ms', 'PSS per worker, KiB'],
    Object.entries(start).map(([name, figure]) => [name, figure.ready_ms ?? '-', figure.answered_ms, figure.memory_kib]))
}

function judge (start) {
  return ours.filter(name => start[name]).flatMap(name => [
    { what: `${name}, 4 workers: ready, ms`, figure: start[name].ready_ms, limit: limits.ready_ms },
    { what: `${name}, 4 workers: memory per worker, KiB`, figure: start[name].memory_kib, limit: limits.memory_kib }
  ])
}

module.exports = { measure, print, judge }
