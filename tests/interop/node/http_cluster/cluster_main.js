// The same service with Node's own `cluster` module, which came after the document: the main process
// accepts and hands each connection to a worker in turn.
'use strict'

const cluster = require('node:cluster')
const http = require('node:http')
const { options, sayReady } = require('../main_process')

const { host, port, workers, respawn } = options(__dirname)

if (cluster.isPrimary) {
  const work = Array.from({ length: workers }, () => cluster.fork().process)
  let listening = 0
  cluster.on('listening', (worker, { address, port: actual }) => {
    if (++listening === workers) {
      sayReady({ address, port: actual, family: address.includes(':') ? 'IPv6' : 'IPv4' }, work, 'http_client.js')
    }
  })
  if (respawn) cluster.on('exit', () => setTimeout(() => cluster.fork(), 100))
  const end = () => {
    for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGTERM')
  }
  process.once('SIGTERM', end)
  process.once('SIGINT', end)
} else {
  http
    .createServer((req, res) => {
      res.writeHead(200, { 'Content-Type': 'text/plain' })
      res.end('Request handled by worker-' + process.pid)
    })
    .listen(port, host)
}
