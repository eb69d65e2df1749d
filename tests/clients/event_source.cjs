// event_source URL COUNT: prints the position of each event of a stream as it comes, and "caught-up", until so many have come. It comes
// back by itself when the connection ends, as an EventSource does.
const { EventSource } = require('eventsource')

const [url, count] = process.argv.slice(2)
let left = Number(count)
const source = new EventSource(url)
const alive = setInterval(() => {}, 1000) // while it waits to come back, nothing else keeps the process
source.onmessage = (message) => {
  const event = JSON.parse(message.data)
  if (message.lastEventId !== String(event.position)) throw new Error(`id ${message.lastEventId} of ${message.data}`)
  console.log(event.position)
  if (--left > 0) return
  source.close()
  clearInterval(alive)
}
source.addEventListener('caught-up', (message) => console.log('caught-up', JSON.parse(message.data).position))
source.onerror = (error) => {
  console.log('error', error.code ?? '')
  if (source.readyState === EventSource.CLOSED) process.exit(1)
}
