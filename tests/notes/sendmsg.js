#!/usr/bin/env node
// node tests/notes/sendmsg.js check|update [NOTES]
//
// One sendmsg, every byte: runs server_handoff and a Node program that does the same, with record_messages.cpp loaded, and
// compares what crossed with notes/data/sendmsg.json (descriptor numbers may differ), and that with its picture. `update`
// writes both.
'use strict'
const fs = require('fs')
const os = require('os')
const path = require('path')
const { Session } = require('./session.js')
const { draw } = require('./sendmsg_picture.js')

const root = path.join(__dirname, '../..')

const node_program = `
const { fork } = require('child_process')
if (process.send) {
  process.on('message', () => process.exit()) // the acknowledgement has gone by now
} else {
  const server = require('net').createServer().listen(0, '127.0.0.1', () => {
    const child = fork(__filename)
    child.send('http server0', server)
    child.on('exit', () => process.exit())
  })
}`

// Runs `command` until a descriptor has been sent, received and acknowledged; returns the three messages.
async function record(command, folder) {
  const file = path.join(folder, 'messages')
  fs.writeFileSync(file, '')
  const session = new Session(root, { environment: { LD_PRELOAD: 'build/tests/notes/record_messages.so', RECORD_MESSAGES: file } })
  const messages = () => fs.readFileSync(file, 'utf8').split('\n').slice(0, -1).map(line => JSON.parse(line))
  const find = () => {
    const sent = messages().find(({ call, control }) => call === 'sendmsg' && control)
    const received = sent && messages().find(({ call, pid, data }) => call === 'recvmsg' && pid !== sent.pid && data === sent.data)
    const acknowledged = sent && messages().find(({ call, pid, socket }) => call === 'recvmsg' && pid === sent.pid && socket === sent.socket)
    return received && acknowledged && { sent, received, acknowledged }
  }
  try {
    const started = await session.start(command)
    await session.until(() => find() || started.exit !== null, 20000)
    const found = find()
    if (!found) throw new Error(`${command} has sent no descriptor; it said: ${started.lines.join('\n')}`)
    return Object.fromEntries(Object.entries(found).map(([key, { socket, data, control }]) =>
      [key, { socket, data, ...control && { control, descriptor: Buffer.from(control, 'hex').readInt32LE(16) } }]))
  } finally {
    await session.end()
  }
}

// What does not depend on the run: all but the numbers, and the padding, which the kernel does not write for a receiver.
const without_numbers = ({ ours, node }) => JSON.stringify([ours, node].map(({ sent, received, acknowledged }) =>
  [sent.data, sent.control.slice(0, 32), sent.control.length, received.data, received.control.slice(0, 32), acknowledged.data]), null, 1)

async function main(command, notes = path.join(root, 'notes')) {
  const data_file = path.join(notes, 'data/sendmsg.json'), picture_file = path.join(notes, 'pictures/sendmsg.svg')
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sendmsg-'))
  try {
    fs.writeFileSync(path.join(folder, 'send_server.js'), node_program)
    const recorded = {
      kernel: os.release().match(/^\d+\.\d+/)[0], cores: os.cpus().length, date: new Date().toISOString().slice(0, 10), node_version: process.version,
      ours: await record('build/demos/server_handoff --workers 1', folder),
      node: await record(`node ${path.join(folder, 'send_server.js')}`, folder)
    }
    const committed = fs.existsSync(data_file) ? JSON.parse(fs.readFileSync(data_file, 'utf8')) : undefined
    const same = committed && without_numbers(committed) === without_numbers(recorded)
    const picture = draw(same ? committed : recorded)
    const drawn = fs.existsSync(picture_file) && fs.readFileSync(picture_file, 'utf8') === picture
    if (command === 'update') {
      if (!same) fs.writeFileSync(data_file, JSON.stringify(recorded, null, 2) + '\n')
      if (!drawn) fs.writeFileSync(picture_file, picture)
      return 0
    }
    if (!same) console.log(`notes/data/sendmsg.json is not what crosses now:\n${without_numbers(recorded)}`)
    else if (!drawn) console.log('notes/pictures/sendmsg.svg is not the picture of notes/data/sendmsg.json')
    else console.log('notes/data/sendmsg.json is what crosses, and notes/pictures/sendmsg.svg its picture')
    return same && drawn ? 0 : 1
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

main(...process.argv.slice(2)).then(code => { process.exitCode = code })
