// The document's second client. `agent: false` is a new connection for each request, as it was then; since
// Node 19 the default agent keeps connections.
'use strict'

const http = require('node:http')
const { parseArgs } = require('node:util')

const { host, port, count } = parseArgs({
  options: {
    host: { type: 'string', default: 'localhost' },
    port: { type: 'string', default: '8888' },
    count: { type: 'string', default: '5' }
  }
}).values

for (let i = 0; i < Number(count); i++) {
  http
    .get({ host, port, agent: false }, res => {
      res.setEncoding('utf8')
      res.on('data', data => {
        console.log(data)
      })
      res.on('end', () => {
        console.log('end')
      })
    })
    .on('error', error => {
      console.error(error.message)
      process.exitCode = 1
    })
}
