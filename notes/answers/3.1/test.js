// build: socket_fanout net_client
const { exercise, same } = require('../../../tests/notes/exercise.js')

exercise(async ({ start, run, answer }) => {
  await start('build/demos/socket_fanout --workers 3 --quiet')
  const client = await run('build/clients/net_client --count 8')
  same(client.lines.length, 8, 'how many answers')
  answer(client.lines.filter(line => line.endsWith('worker 0')).length)
})
