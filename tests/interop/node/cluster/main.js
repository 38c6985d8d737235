// Node's own cluster, whose workers are any programs: `--child build/demos/cluster_child` runs unmodified.
'use strict'

const cluster = require('node:cluster')
const { once } = require('node:events')
const { options, sayReady } = require('../main_process')

const { host, port, workers, child, respawn } = options(__dirname)
const node = process.execPath

cluster.setupPrimary({ exec: require.resolve('./child.js'), args: ['--host', host, '--port', `${port}`] })
const fork = i => {
  const program = child[i % child.length]
  process.execPath = program.endsWith('.js') ? node : program // there is no other way to say it
  const worker = cluster.fork({ HOST: host, PORT: port })
  process.execPath = node
  worker.runs = i
  return worker
}
const work = Array.from({ length: workers }, (_, i) => fork(i).process)

let listening = 0
cluster.on('listening', (worker, { address, port: actual }) => {
  if (++listening === workers) {
    sayReady({ address, port: actual, family: address.includes(':') ? 'IPv6' : 'IPv4' }, work, 'http_client.js')
  }
})
cluster.on('exit', (worker, code, signal) => {
  console.log(`exit ${worker.id} code ${code} signal ${signal} meant ${worker.exitedAfterDisconnect}`)
  if (respawn) fork(worker.id - 1)
})
// Reload, as it is usually done: a new worker; when it listens, the old one is told to disconnect. Node's waits for its
// clients then, and for those who keep their connections that would be for ever: after two seconds it is killed.
process.on('SIGUSR2', async () => {
  const all = Object.values(cluster.workers)
  for (const old of all) {
    await once(fork(old.runs), 'listening')
    old.disconnect()
    const patience = setTimeout(() => old.process.kill(), 2000)
    await once(old, 'exit')
    clearTimeout(patience)
  }
  console.error(`reloaded: ${all.length} new workers`)
})
const end = () => cluster.disconnect(() => console.log('disconnected'))
process.once('SIGTERM', end)
process.once('SIGINT', end)
