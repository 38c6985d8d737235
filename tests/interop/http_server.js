// A server of Node's own, for http_cases_test: it answers each request when that has come whole.
const http = require('http')

const server = http.createServer((req, res) => req.resume().on('end', () => res.end()))
server.listen(0, '127.0.0.1', () => console.log(`Node ${process.versions.node} ${server.address().port}`))
