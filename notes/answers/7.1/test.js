// build: http_cluster
const { exercise, same } = require('../../../tests/notes/exercise.js')

exercise(async ({ start, run, answer }) => {
  await start('build/demos/http_cluster --max-requests-per-socket 3')
  const client = await run(`node -e "
    const http = require('http')
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    let connections = 0
    const get = left => {
      if (left === 0) return console.log(connections)
      const request = http.get({ host: '127.0.0.1', port: 8888, agent }, res => res.resume().on('end', () => setImmediate(get, left - 1)))
      request.on('socket', () => { if (!request.reusedSocket) connections++ })
    }
    get(10)"`)
  answer(client.lines[0])
})
