// A Node child for C++ parents. A message alone comes back; on a connection, what the client says up to the end of a
// line comes back; a server becomes that of a web server, in the shortest way Node has.
'use strict'

const http = require('node:http')

process.on('message', (message, handle) => {
  if (!handle) {
    process.send(message)
  } else if (message === 'http server0') {
    const web = http.createServer((request, response) => response.end(`Request handled by worker-${process.pid}`))
    web.listen(handle)
    process.once('disconnect', () => web.close())
  } else {
    let said = ''
    handle.setEncoding('utf8')
    handle.on('data', data => {
      said += data
      if (said.endsWith('\n')) handle.end(said)
    })
  }
})
