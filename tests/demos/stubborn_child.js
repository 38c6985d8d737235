// A worker that holds what it is given, answers nobody, and ends neither with its channel nor on SIGTERM.
'use strict'

const cluster = require('node:cluster')
const net = require('node:net')

const held = []
process.on('message', (message, handle) => held.push(handle))
if (cluster.isWorker) net.createServer(socket => held.push(socket)).listen(process.env.PORT)
process.on('SIGTERM', () => {})
process.on('SIGINT', () => {})
setInterval(() => {}, 1000) // something to live for
