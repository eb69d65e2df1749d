// web_socket URL [CREDIT]: prints what a stream says, a line for each message: its type, and its position. Gives CREDIT at first, and says
// "bye" once an event has the type End. Prints how it was closed.
const WebSocket = require('ws')

const [url, credit] = process.argv.slice(2)
const socket = new WebSocket(url, 'stele.v1.json')
const give = (events) => socket.send(JSON.stringify({ type: 'credit', events }))
socket.on('open', () => {
  console.log('open', socket.protocol, socket.extensions || 'plain')
  if (credit) give(Number(credit))
})
socket.on('message', (data, isBinary) => {
  const message = JSON.parse(data.toString())
  console.log(message.type, message.event ? message.event.position : message.position, isBinary ? 'binary' : 'text')
  if (message.type !== 'event') return
  if (credit) give(1)
  if (message.event.eventType === 'End') socket.close(1000, 'bye')
})
socket.on('close', (code, reason) => console.log('close', code, reason.toString()))
socket.on('error', (error) => {
  console.log('error', error.message)
  process.exitCode = 1
})
