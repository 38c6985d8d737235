// The document's first client.
'use strict'

const net = require('node:net')
const { parseArgs } = require('node:util')

const { host, port, count } = parseArgs({
  options: {
    host: { type: 'string', default: 'localhost' },
    port: { type: 'string', default: '8888' },
    count: { type: 'string', default: '5' }
  }
}).values

for (let i = 0; i < Number(count); i++) {
  net
    .createConnection(Number(port), host)
    .on('data', data => {
      console.log(data.toString())
    })
    .on('error', error => {
      console.error(error.message)
      process.exitCode = 1
    })
}
