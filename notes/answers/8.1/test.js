// build: socket_fanout net_client
const { exercise, same } = require('../../../tests/notes/exercise.js')

exercise(async ({ start, run, answer }) => {
  await start('build/demos/socket_fanout --quiet --delay 0')
  const client = await run('build/clients/net_client --count 402 --tally')
  const shares = client.lines.map(line => Number(line.match(/(\d+) +\d+\.\d %/)?.[1]))
  same(shares.reduce((sum, share) => sum + share, 0), 402, 'how many answers')
  answer(Math.max(...shares) - Math.min(...shares))
})
