// build: socket_fanout net_client
const { exercise, same } = require('../../../tests/notes/exercise.js')

exercise(async ({ start, run }) => {
  await start('build/demos/socket_fanout --mode all')
  for (let i = 0; i < 5; i++) { // without the change it is a race, which all four could win once
    const client = await run('build/clients/net_client --count 1')
    const answers = client.lines.join('').match(/http socket\d 子进程：worker \d/g) ?? []
    same(answers.sort(), [0, 1, 2, 3].map(i => `http socket${i} 子进程：worker ${i}`), 'the answers on one connection')
  }
}, { preload: 'late_sends.cpp' }) // no worker can write at once: what is written must still be there later
