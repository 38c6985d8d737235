// build: http_cluster
const { exercise, same } = require('../../../tests/notes/exercise.js')

exercise(async ({ start, run, answer }) => {
  await start('build/demos/http_cluster')
  const client = await run(`node -e "
    const socket = require('net').connect(8888, '127.0.0.1', () => socket.end('GET / HTTP/1.1\\r\\n\\r\\n'))
    socket.on('data', data => process.stdout.write(data))"`)
  answer(client.lines[0]?.match(/^HTTP\/1\.1 (\d+)/)?.[1])
})
