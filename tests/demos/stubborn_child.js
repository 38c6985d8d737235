// A worker that holds what it is given, answers nobody, and ends neither with its channel nor on SIGTERM.
'use strict'

const held = []
process.on('message', (message, handle) => held.push(handle))
process.on('SIGTERM', () => {})
process.on('SIGINT', () => {})
setInterval(() => {}, 1000) // something to live for
